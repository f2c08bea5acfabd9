import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { EngineClient, EngineRequest } from "@hawser/api/client";
import { Fault } from "@hawser/base";
import { type BuildContext, openBuildContext } from "../../build/build-context.ts";
import { defineCommand } from "../../command.ts";
import { boolFlag, bytesFlag, intFlag, listFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { showProgress } from "../../format/progress.ts";
import { proxyVariables } from "../../proxy-settings.ts";
import { registryConfigHeaders } from "../../registry-auth.ts";

export const command = defineCommand({
  usage: "[OPTIONS] PATH | URL | -",
  flags: {
    "add-host": listFlag('Add a custom host-to-IP mapping ("host:ip")'),
    "build-arg": listFlag("Set build-time variables"),
    "cgroup-parent": stringFlag('Set the parent cgroup for the "RUN" instructions during build'),
    "cpu-period": intFlag("Limit the CPU CFS (Completely Fair Scheduler) period"),
    "cpu-quota": intFlag("Limit the CPU CFS (Completely Fair Scheduler) quota"),
    "cpu-shares": intFlag("CPU shares (relative weight)", { short: "c" }),
    "cpuset-cpus": stringFlag("CPUs in which to allow execution (0-3, 0,1)"),
    "cpuset-mems": stringFlag("MEMs in which to allow execution (0-3, 0,1)"),
    file: stringFlag('Name of the Dockerfile (Default is "PATH/Dockerfile")', { short: "f" }),
    "force-rm": boolFlag("Always remove intermediate containers", { hidden: true }),
    iidfile: stringFlag("Write the image ID to the file"),
    label: listFlag("Set metadata for an image"),
    memory: bytesFlag("Memory limit", { short: "m" }),
    "memory-swap": bytesFlag("Swap limit equal to memory plus swap: -1 to enable unlimited swap", {
      allowMinusOne: true,
    }),
    network: stringFlag('Set the networking mode for the "RUN" instructions during build', {
      initial: "default",
    }),
    "no-cache": boolFlag("Do not use cache when building the image"),
    platform: stringFlag("Set target platform for build"),
    pull: boolFlag("Always attempt to pull a newer version of the image"),
    quiet: boolFlag("Suppress the build output and print image ID on success", { short: "q" }),
    rm: boolFlag("Remove intermediate containers after a successful build", { initial: true, hidden: true }),
    "shm-size": bytesFlag('Size of "/dev/shm"'),
    tag: listFlag('Name and optionally a tag in the "name:tag" format', { short: "t" }),
    target: stringFlag("Set the target build stage to build"),
  },
  arguments: { min: 1, max: 1 },
  async run({ flags, args, session }) {
    const context = await openBuildContext(session, { path: args[0] ?? "", dockerfile: flags.file });
    const client = await session.connect();
    const given = buildArgs(flags["build-arg"], session.environment);
    const said = (name: string) => Object.hasOwn(given, name) || flags["build-arg"].includes(name);
    const proxies = proxyVariables(session.config(), { host: client.endpoint.text, said });
    const headers = await registryConfigHeaders(session);
    const { body } = await sendBuild(client, context, {
      headers,
      query: {
        t: flags.tag,
        remote: context.remote,
        dockerfile: context.dockerfile,
        buildargs: JSON.stringify({ ...proxies, ...given }),
        labels: JSON.stringify(Object.fromEntries(flags.label.map(pairOf))),
        target: flags.target || undefined,
        platform: flags.platform || undefined,
        networkmode: flags.network,
        nocache: flags["no-cache"] || undefined,
        pull: flags.pull || undefined,
        q: flags.quiet || undefined,
        memory: flags.memory || undefined,
        memswap: flags["memory-swap"] || undefined,
        cpushares: flags["cpu-shares"] || undefined,
        cpuperiod: flags["cpu-period"] || undefined,
        cpuquota: flags["cpu-quota"] || undefined,
        cpusetcpus: flags["cpuset-cpus"] || undefined,
        cpusetmems: flags["cpuset-mems"] || undefined,
        cgroupparent: flags["cgroup-parent"] || undefined,
        shmsize: flags["shm-size"] || undefined,
        extrahosts: flags["add-host"],
      },
    });
    await showProgress(body, session.stdout, {
      onAux(aux) {
        if (flags.iidfile === "" || typeof aux !== "object" || aux === null || !("ID" in aux)) return;
        writeFileSync(resolve(session.workingDir, flags.iidfile), String(aux.ID));
      },
    });
    return 0;
  },
});

/** An engine that sees the same folder reads it itself, and only what has changed since the last build; others are sent it. */
async function sendBuild(
  client: EngineClient,
  { folder, archive }: BuildContext,
  request: Pick<EngineRequest, "query" | "headers">,
) {
  if (folder !== undefined) {
    try {
      return await client.send({ ...request, method: "POST", path: "/build/local", json: folder });
    } catch (error) {
      // Docker's engine has no such door; in another mount namespace the folder is not there.
      if (!Fault.is(error, "not-found") && !Fault.is(error, "conflict")) throw error;
    }
  }
  return await client.send({
    ...request,
    method: "POST",
    path: "/build",
    ...(archive && { bytes: archive }),
  });
}

function pairOf(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** `name=value`; a name alone has the value that it has here, or none. */
function buildArgs(
  texts: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const found = texts.flatMap((text): readonly (readonly [string, string])[] => {
    if (text.includes("=")) return [pairOf(text)];
    const value = environment[text];
    return value === undefined ? [] : [[text, value]];
  });
  return Object.fromEntries(found);
}
