import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Fault } from "@hawser/base";
import { type ContextFolder, contextFolder, isAddress, openBuildContext } from "../../build/build-context.ts";
import { checkOutputs, parseOutput } from "../../build/build-output.ts";
import { parseAgent, parseSecret } from "../../build/build-secrets.ts";
import { openCaches } from "../../build/cache-folders.ts";
import { sendClassicBuild } from "../../build/classic-build.ts";
import { commitTimeOf } from "../../build/commit-time.ts";
import {
  attestationOf,
  type CacheEntry,
  frontendAttributes,
  parseCacheEntry,
  parseNamedContext,
} from "../../build/frontend-attributes.ts";
import { lockFileOf, readLockFile, withoutLockFile, writeLockFile } from "../../build/lock-file.ts";
import { isLayout, openLayouts } from "../../build/oci-folders.ts";
import { openPrinter } from "../../build/progress/open-printer.ts";
import { askedQuestion, showAnswer } from "../../build/questions.ts";
import { type BuildOrder, type SentBuild, sendBuild } from "../../build/send-build.ts";
import { defineCommand, type Invocation } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, bytesFlag, commaListFlag, intFlag, listFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { showProgress } from "../../format/progress.ts";
import { parseExtraHost } from "../../options/host-option.ts";
import { parseUlimit } from "../../options/ulimit-option.ts";
import { proxyVariables } from "../../proxy-settings.ts";
import { registryConfigHeaders } from "../../registry-auth.ts";
import { printLine, type Session } from "../../session.ts";

const flags = {
  "add-host": listFlag('Add a custom host-to-IP mapping ("host:ip")', { check: parseExtraHost }),
  allow: commaListFlag('Allow extra privileged entitlement ("network.host", "security.insecure")'),
  attest: listFlag('Attestation parameters ("type=sbom,generator=image")'),
  "build-arg": listFlag("Set build-time variables"),
  "build-context": listFlag('Additional build contexts ("name=path")'),
  "cache-from": listFlag('External cache sources ("user/app:cache", "type=local,src=path/to/dir")'),
  "cache-to": listFlag('Cache export destinations ("user/app:cache", "type=local,dest=path/to/dir")'),
  call: stringFlag('Set method for evaluating build ("check", "outline", "targets")', { initial: "build" }),
  "cgroup-parent": stringFlag('Set the parent cgroup for the "RUN" instructions during build'),
  check: boolFlag('Shorthand for "--call=check"'),
  "cpu-period": intFlag("Limit the CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": intFlag("Limit the CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-shares": intFlag("CPU shares (relative weight)", { short: "c" }),
  "cpuset-cpus": stringFlag("CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": stringFlag("MEMs in which to allow execution (0-3, 0,1)"),
  file: stringFlag('Name of the Dockerfile (Default is "PATH/Dockerfile")', { short: "f" }),
  "force-rm": boolFlag("Always remove intermediate containers", { hidden: true }),
  iidfile: stringFlag("Write the image ID to the file"),
  label: listFlag("Set metadata for an image"),
  lock: boolFlag("Write what the build begins with, by digests, into the lock file"),
  "lock-file": stringFlag('Name of the lock file (Default is "PATH/hawser.lock")'),
  locked: boolFlag("Build from what the lock file has, and from nothing else"),
  load: boolFlag('Shorthand for "--output=type=docker"'),
  memory: bytesFlag("Memory limit", { short: "m" }),
  "memory-swap": bytesFlag("Swap limit equal to memory plus swap: -1 to enable unlimited swap", {
    allowMinusOne: true,
  }),
  "metadata-file": stringFlag("Write build result metadata to a file"),
  network: stringFlag('Set the networking mode for the "RUN" instructions during build', {
    initial: "default",
  }),
  "no-cache": boolFlag("Do not use cache when building the image"),
  "no-cache-filter": commaListFlag("Do not cache specified stages"),
  output: listFlag('Output destination ("type=local,dest=path")', { short: "o" }),
  platform: commaListFlag("Set target platform for build"),
  progress: stringFlag('Set type of progress output ("auto", "plain", "tty", "quiet", "rawjson")', {
    initial: "auto",
  }),
  provenance: stringFlag('Shorthand for "--attest=type=provenance"'),
  pull: boolFlag("Always attempt to pull a newer version of the image"),
  push: boolFlag('Shorthand for "--output=type=registry"'),
  quiet: boolFlag("Suppress the build output and print image ID on success", { short: "q" }),
  rm: boolFlag("Remove intermediate containers after a successful build", { initial: true, hidden: true }),
  sbom: stringFlag('Shorthand for "--attest=type=sbom"'),
  secret: listFlag('Secret to expose to the build ("id=mysecret,src=/local/secret")'),
  "shm-size": bytesFlag('Size of "/dev/shm"'),
  ssh: listFlag('SSH agent socket to expose to the build ("default", "id=socket")'),
  tag: listFlag('Name and optionally a tag in the "name:tag" format', { short: "t" }),
  target: stringFlag("Set the target build stage to build"),
  ulimit: listFlag("Ulimit options", {
    check: (text) => {
      parseUlimit(text);
      return text;
    },
  }),
};

type Flags = Invocation<typeof flags>["flags"];

export const command = defineCommand({
  usage: "[OPTIONS] PATH | URL | -",
  flags,
  arguments: { min: 1, max: 1 },
  async run({ flags: given, args, session, changed }) {
    const mode = changed.has("progress")
      ? given.progress
      : (session.environment["BUILDKIT_PROGRESS"] ?? "auto");
    const question = askedQuestion(given);
    const { order, query, proxies, lockFile } = await orderOf(session, {
      flags: given,
      path: args[0] ?? "",
      question,
    });
    const client = await session.connect();
    const ready = {
      ...order,
      attributes: { ...prefixedArgs(proxies(client.endpoint.text)), ...order.attributes },
    };
    const isQuiet = given.quiet || question !== undefined;
    const printer = openPrinter(session, isQuiet && mode === "auto" ? "quiet" : mode);
    let sent: SentBuild;
    try {
      sent = await sendBuild(session, client, { order: ready, printer });
    } catch (error) {
      printer.end();
      if (!Fault.is(error, "not-found") || !/page not found/.test(error.message)) throw error;
      // Docker's engine has no such door.
      let id = "";
      const { body } = await sendClassicBuild(client, ready, {
        headers: order.request.headers ?? {},
        query: { ...query, ...order.request.query },
      });
      await showProgress(body, session.stdout, {
        onAux: (aux) => {
          if (typeof aux === "object" && aux !== null && "ID" in aux) id = String(aux.ID);
        },
      });
      sent = { result: { "containerimage.config.digest": id } };
    }
    const { result, sources } = sent;
    if (order.locks) await writeLockFile(lockFile, sources);
    if (question !== undefined) return await showAnswer(session, question, result);
    await tellResult(session, given, result);
    return 0;
  },
});

async function tellResult(
  session: Session,
  given: Flags,
  result: Readonly<Record<string, string>>,
): Promise<void> {
  const id = result["containerimage.config.digest"] ?? "";
  const place = (path: string) => resolve(session.workingDir, path);
  if (given.iidfile !== "") writeFileSync(place(given.iidfile), id);
  if (given["metadata-file"] !== "") {
    writeFileSync(place(given["metadata-file"]), `${JSON.stringify(metadataOf(result), undefined, 2)}\n`);
  }
  if (given.quiet && id !== "") await printLine(session, id);
}

/** As buildx writes it: what is JSON in base64 as JSON. */
function metadataOf(result: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(result).map(([name, text]) => {
      const decoded = Buffer.from(text, "base64").toString();
      try {
        return [name, decoded.startsWith("{") ? (JSON.parse(decoded) as unknown) : text];
      } catch {
        return [name, text];
      }
    }),
  );
}

async function orderOf(
  session: Session,
  asked: {
    readonly flags: Flags;
    readonly path: string;
    readonly question: ReturnType<typeof askedQuestion>;
  },
) {
  const { flags: given, path, question } = asked;
  const opened = await openBuildContext(session, { path, dockerfile: given.file });
  if (given.lock && given.locked)
    throw cliFaults.OPTIONS_CONFLICT("--lock and --locked cannot be used together");
  const lockFile = lockFileOf(opened, { name: given["lock-file"], workingDir: session.workingDir });
  const context = given.lock || given.locked ? withoutLockFile(opened, lockFile) : opened;
  const saidArgs = valuesOf(given["build-arg"], session.environment);
  const said = (name: string) => Object.hasOwn(saidArgs, name) || given["build-arg"].includes(name);
  const epoch = said(epochVariable) ? undefined : session.environment[epochVariable];
  const buildArgs = { ...(epoch !== undefined && { [epochVariable]: epoch }), ...saidArgs };
  const committed =
    context.files.kind === "folder" && epoch === undefined && !said(epochVariable) && question === undefined
      ? commitTimeOf(context.files.folder, session.environment)
      : undefined;
  const named = given["build-context"].map(parseNamedContext);
  const layouts = await openLayouts(session, named);
  const isFolder = (place: string) =>
    !isAddress(place) && !isLayout(place) && !place.startsWith("docker-image://");
  const labels = Object.fromEntries(given.label.map(pairOf));
  const outputs = outputsOf(given);
  checkOutputs(session, outputs);
  const caches = await openCaches(session, {
    from: given["cache-from"].map(parseCacheEntry),
    to: given["cache-to"].map(parseCacheEntry),
    firstOutput: outputs.length,
  });
  const attributes = frontendAttributes({
    filename: context.filename,
    target: given.target,
    platforms: given.platform,
    buildArgs,
    labels,
    noCache: given["no-cache"],
    noCacheFilter: given["no-cache-filter"],
    pull: given.pull,
    network: given.network,
    extraHosts: given["add-host"],
    ulimits: given.ulimit.map(parseUlimit),
    shmSizeBytes: given["shm-size"],
    cgroupParent: given["cgroup-parent"],
    cacheFrom: caches.from,
    attestations: [
      ...given.attest,
      ...attestationOf("provenance", given.provenance),
      ...attestationOf("sbom", given.sbom),
    ],
  });
  const contexts = named.map(
    ([name, place]) =>
      [`context:${name}`, layouts.contexts.get(name) ?? (isFolder(place) ? `local:${name}` : place)] as const,
  );
  const committedAt = await committed;
  const order: BuildOrder = {
    context,
    namedFolders: new Map(
      named.flatMap(([name, place]): readonly (readonly [string, ContextFolder])[] =>
        isFolder(place) ? [[name, contextFolder(resolve(session.workingDir, place))]] : [],
      ),
    ),
    layouts: layouts.lent,
    attributes: { ...attributes, ...Object.fromEntries(contexts), ...question?.attributes },
    ...(committedAt !== undefined && { committedAt }),
    outputs,
    locks: given.lock,
    ...(given.locked && { pins: await readLockFile(lockFile) }),
    caches,
    entitlements: [...given.allow, ...(given.network === "host" ? ["network.host"] : [])],
    secrets: new Map(given.secret.map((text) => parseSecret(session, text))),
    agents: new Map(given.ssh.map((text) => parseAgent(session, text))),
    request: {
      headers: await registryConfigHeaders(session),
      query: {
        memory: given.memory || undefined,
        memswap: given["memory-swap"] || undefined,
        cpushares: given["cpu-shares"] || undefined,
        cpuperiod: given["cpu-period"] || undefined,
        cpuquota: given["cpu-quota"] || undefined,
        cpusetcpus: given["cpuset-cpus"] || undefined,
        cpusetmems: given["cpuset-mems"] || undefined,
      },
    },
  };
  const query = {
    t: given.tag,
    buildargs: JSON.stringify(buildArgs),
    labels: JSON.stringify(labels),
    target: given.target || undefined,
    platform: given.platform[0],
    networkmode: given.network,
    nocache: given["no-cache"] || undefined,
    pull: given.pull || undefined,
    cachefrom: classicCaches(caches.from),
    q: given.quiet || undefined,
    cgroupparent: given["cgroup-parent"] || undefined,
    shmsize: given["shm-size"] || undefined,
    extrahosts: given["add-host"],
  };
  return {
    order,
    query,
    lockFile,
    proxies: (host: string) => proxyVariables(session.config(), { host, said }),
  };
}

/** https://reproducible-builds.org/specs/source-date-epoch/ */
const epochVariable = "SOURCE_DATE_EPOCH";
/** The classic API has names alone. */
function classicCaches(from: readonly CacheEntry[]): string | undefined {
  const names = from.flatMap(({ Type: type, Attrs: { ref } }) => (type === "registry" && ref ? [ref] : []));
  return names.length === 0 ? undefined : JSON.stringify(names);
}

/** Without `--output` the result becomes an image of the engine. */
function outputsOf({ output, push, load, tag: names }: Flags) {
  const outputs = output.map((text) => parseOutput(text, { names }));
  if (push) outputs.push(parseOutput("type=registry", { names }));
  if (load || outputs.length === 0) outputs.push(parseOutput("type=moby", { names }));
  return outputs.filter(({ type }) => type !== "cacheonly");
}

function prefixedArgs(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`build-arg:${name}`, value]));
}

function pairOf(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** `name=value`; a name alone has the value that it has here, or none. */
function valuesOf(
  texts: readonly string[],
  environment: Session["environment"],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.flatMap((text): readonly (readonly [string, string])[] => {
      if (text.includes("=")) return [pairOf(text)];
      const value = environment[text];
      return value === undefined ? [] : [[text, value]];
    }),
  );
}
