import { writeSync } from "node:fs";
import {
  ConnectError,
  type LlbResult,
  llbDefinition,
  llbExec,
  llbFile,
  llbSource,
  llbUnset,
  openFrontEnd,
} from "@hawser/build/testing";

/**
 * A front end for tests, which runs in an image: the words of the source's last line are what it does. It speaks to the builder as
 * any front end of BuildKit's does, over standard input and output.
 */
const { gateway, options, environment } = openFrontEnd(process);

const all = { allowResultReturn: true, allowResultArrayRef: true } as const;
const asBytes = (value: unknown) => Buffer.from(JSON.stringify(value));

async function solve(result: LlbResult, more: object = {}): Promise<string> {
  const solved = await gateway.solve({ definition: llbDefinition(result), ...all, ...more });
  if (solved.result?.result.case !== "ref") throw new Error("no result came back");
  return solved.result.result.value.id;
}

async function text(ref: string, filePath: string): Promise<string> {
  return Buffer.from((await gateway.readFile({ ref, filePath })).data).toString();
}

async function give(ref: string, config: object = {}): Promise<void> {
  const metadata = { "containerimage.config": asBytes({ os: "linux", architecture: "amd64", config }) };
  await gateway.return({ result: { result: { case: "ref", value: { id: ref } }, metadata } });
}

const busybox = () => llbSource("docker-image://docker.io/library/busybox:latest");
const note = (path: string, words: string) =>
  llbFile([busybox()], {
    case: "mkfile",
    value: { path, mode: 0o644, data: Buffer.from(words), ...llbUnset },
  });

const deeds: Readonly<Record<string, (...words: string[]) => Promise<void>>> = {
  /** Build something of its own, by every call that looks at sources and results. */
  async tell() {
    const { frontendApiCaps, llbCaps, workers } = await gateway.ping({});
    const image = await gateway.resolveImageConfig({ ref: "busybox" });
    const meta = await gateway.resolveSourceMeta({ source: { identifier: "docker-image://busybox" } });
    const base = await solve(busybox(), { evaluate: true });
    const { entries } = await gateway.readDir({ ref: base, dirPath: "/bin", includePattern: "s[h]" });
    const { stat } = await gateway.statFile({ ref: base, path: "/bin/sh" });
    const missing = await gateway.statFile({ ref: base, path: "/none" }).then(() => "", String);
    await gateway.warn({ level: 1n, short: Buffer.from("a warning of its own") });
    console.error("words of its own");
    const told = {
      caps:
        frontendApiCaps.some(({ id }) => id === "gateway.exec") && llbCaps.some(({ id }) => id === "mergeop"),
      workers: workers.length,
      variables: [
        environment["BUILDKIT_EXPORTEDPRODUCT"],
        (JSON.parse(environment["BUILDKIT_WORKERS"] ?? "[]") as { platforms: unknown[] }[])[0]?.platforms
          .length,
        environment["BUILDKIT_SESSION_ID"] !== "",
      ],
      greeting: options["build-arg:greeting"],
      cmdline: options["cmdline"],
      image: Buffer.from(image.config).equals(Buffer.from(meta.image?.config ?? [])),
      entries: entries.map(({ path }) => path),
      stat: [stat?.path, stat !== undefined && stat.size > 0n],
      missing: missing.includes("not_found"),
    };
    await give(await solve(note("/told", JSON.stringify(told))), { Labels: { by: "a front end" } });
  },
  /** Have the Dockerfile's front end build what comes after the first line, on a result of its own. */
  async dockerfile() {
    const { definitions } = await gateway.inputs({});
    const under = llbDefinition(llbExec([busybox()], ["sh", "-c", "echo under > /under"]));
    const solved = await gateway.solve({
      frontend: "dockerfile.v0",
      frontendOpt: { ...options, "context:base": "input:base" },
      frontendInputs: { ...definitions, base: under },
      ...all,
    });
    if (solved.result === undefined) throw new Error("no result came back");
    await gateway.return({ result: solved.result });
  },
  /** A process in a container on two results, with input, output and a second process beside it. */
  async exec() {
    const root = await solve(busybox());
    const files = await solve(note("/note", "from a result"));
    await gateway.newContainer({
      containerId: "c",
      mounts: [
        { dest: "/", resultId: root, output: -1n, input: -1n },
        { dest: "/files", resultId: files, readonly: true, output: -1n, input: -1n },
      ],
    });
    const first = await run(
      "c",
      ["sh", "-c", 'cat /files/note; read line; echo " $line $OWN"; touch /made; read more; true'],
      ["OWN=variable"],
    );
    await first.reads("variable");
    const second = await run("c", ["sh", "-c", "ls /made; echo ${OWN:-none} >&2; exit 5"]);
    const secondExit = await second.over;
    const killed = await run("c", ["sleep", "1000"]);
    killed.signal("SIGKILL");
    const told = {
      second: [secondExit, second.output()],
      killed: await killed.over,
      missing: await (await run("c", ["/none"])).over,
      none: await gateway.releaseContainer({ containerId: "none" }).catch(String),
    };
    first.end();
    const firstExit = await first.over;
    await gateway.releaseContainer({ containerId: "c" });
    const words = JSON.stringify({ first: [firstExit, first.output()], ...told });
    await give(await solve(note("/told", words)));
  },
  async several() {
    const ref = await solve(note("/told", "several"));
    const value = { refs: { "linux/amd64": { id: ref } } };
    await gateway.return({ result: { result: { case: "refs", value }, metadata: {} } });
  },
  async fails() {
    await gateway.return({ error: { code: 3, message: "the source is not to my liking" } });
    process.exit(1);
  },
  async exits(code = "0") {
    process.exit(Number(code));
  },
  async hangs() {
    await new Promise(() => setInterval(() => {}, 1000));
  },
  /** A result that it has no right to. */
  async takes(ref = "") {
    await give(ref);
  },
  async floods() {
    for (;;) writeSync(1, Buffer.alloc(1 << 20, "x"));
  },
};

/** Run a process of a container's. */
async function run(containerId: string, args: string[], env: string[] = []) {
  const outgoing: object[] = [];
  let news = Promise.withResolvers<void>();
  const say = (input: object) => {
    outgoing.push({ processId: "p", input });
    news.resolve();
  };
  let isOpen = true;
  async function* messages() {
    while (isOpen || outgoing.length > 0) {
      const next = outgoing.shift();
      if (next !== undefined) yield next;
      else {
        await news.promise;
        news = Promise.withResolvers();
      }
    }
  }
  let printed = "";
  let changed = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  say({ case: "init", value: { containerId, meta: { args, env, cwd: "/" }, fds: [0, 1, 2] } });
  say({ case: "file", value: { fd: 0, data: Buffer.from("of the input\n") } });
  const follow = async () => {
    let code = -1;
    for await (const { input } of gateway.execProcess(messages())) {
      if (input.case === "started") started.resolve();
      if (input.case === "file") printed += Buffer.from(input.value.data).toString();
      if (input.case === "exit") code = input.value.code;
      if (input.case === "done") isOpen = false;
      news.resolve();
      changed.resolve();
      changed = Promise.withResolvers();
    }
    return code;
  };
  const over = follow();
  await started.promise;
  return {
    over,
    output: () => printed,
    async reads(words: string) {
      while (!printed.includes(words)) await changed.promise;
    },
    signal: (name: string) => say({ case: "signal", value: { name } }),
    end: () => say({ case: "file", value: { fd: 0, eof: true } }),
  };
}

const source = await solve(llbSource("local://dockerfile", { "local.followpaths": '["Dockerfile"]' }));
const lines = (await text(source, options["filename"] ?? "Dockerfile")).trimEnd().split("\n");
const [deed = "", ...words] = (lines[1] ?? "").replace(/^# /, "").split(" ");
try {
  await deeds[deed]?.(...words);
  process.exit(0);
} catch (error) {
  const { code, rawMessage: message } = ConnectError.from(error);
  await gateway.return({ error: { code, message } });
  process.exit(1);
}
