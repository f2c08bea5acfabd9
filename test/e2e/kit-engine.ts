import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, openTempDir } from "@hawser/base/testing";
import { layoutOf } from "@hawser/engine/testing";
import { runNft } from "@hawser/linux";
import { root } from "../../tools/tree.ts";
import { removeCgroups } from "./kit-cgroups.ts";
import { dockerCli, formatFlags, hawserCli, mainOf } from "./kit-cli.ts";
import { ask } from "./kit-http.ts";
import { findMounts, findProcesses, type ProcessEntry } from "./kit-proc.ts";
import {
  type CommandOptions,
  type CommandResult,
  type RunningProgram,
  runCommand,
  startProgram,
} from "./kit-process.ts";

/** An engine of one test's own: roots, socket, bridge, nft table and cgroup parent are nobody else's. */
export interface TestEngine extends AsyncDisposable {
  /** `unix://…`, for DOCKER_HOST. */
  readonly host: string;
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly bridge: string;
  readonly nftTable: string;
  /** Name of the top-level cgroup in every hierarchy. */
  readonly cgroupParent: string;
  readonly pidFile: string;
  /** Have its configuration file say this from now on: for the next start, or for `reload`. */
  configure(config: Readonly<Record<string, unknown>>): Promise<void>;
  /** SIGHUP. */
  reload(): void;
  /** Where Docker Hub is, for this engine: a registry `host:port` without encryption. At first nobody answers. */
  setDockerHub(address: string): Promise<void>;
  pid(): number;
  /** Process ids of the resident launcher (none while it is down). */
  launchers(): number[];
  /** Process ids of the containers' monitors. */
  monitors(): number[];
  /** Start it again after `stop` or `kill`; ready when it returns. Further flags come after the first ones. */
  start(extraFlags?: readonly string[], env?: TestEngineOptions["env"]): Promise<void>;
  /** Wait until it has ended by itself. */
  waitForEnd(): Promise<void>;
  /** SIGTERM, and wait for its end. Containers go on. */
  stop(): Promise<void>;
  /** `kill -9`, and wait for its end. */
  kill(): Promise<void>;
  /** What all its runs have logged. */
  log(): string;
  /** The docker CLI against this engine. Its exit code is a result. */
  docker(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Hawser's own client against this engine. Its exit code is a result. */
  hawser(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
}

export interface TestEngineOptions {
  /** The drop-in `dockerd`, with dockerd's own flags alone; `program` is not looked at. */
  readonly asDockerd?: boolean;
  /** What its configuration file says at first. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Engine program; default: `mainOf`. */
  readonly program?: string;
  /** A program, with its first arguments, that becomes the engine. */
  readonly through?: readonly string[];
  /** Flags beyond the private names. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A folder that does not exist, for the exec root; default: in the engine's own folder. */
  readonly execRoot?: string;
}

/**
 * Start a private engine. Disposal removes its containers, ends it, takes away what an engine leaves for the next one
 * (launcher, bridge, nft table, cgroup parent) and fails when anything else is still there: a process, a mount, an
 * interface on the bridge, a cgroup.
 */
export async function openEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const dir = await openTempDir("hawser-e2e-");
  const suffix = randomBytes(3).toString("hex");
  const socket = join(dir.path, "hawser.sock");
  const host = `unix://${socket}`;
  const dataRoot = join(dir.path, "data");
  const execRoot = options.execRoot ?? join(dir.path, "exec");
  const log = join(dir.path, "engine.log");
  const pidFile = join(dir.path, "engine.pid");
  const configFile = join(dir.path, "daemon.json");
  const names = options.asDockerd
    ? dockerdNames(execRoot)
    : { bridge: `hw${suffix}`, nftTable: `hawser_${suffix}`, cgroupParent: `hawser-${suffix}` };
  const flags = formatFlags({
    "data-root": dataRoot,
    "exec-root": execRoot,
    host,
    pidfile: pidFile,
    "config-file": configFile,
    ...(!options.asDockerd && {
      bridge: names.bridge,
      "nft-table": names.nftTable,
      "cgroup-parent": `/${names.cgroupParent}`,
      "builtin-images": join(root, "build/images"),
      "native-dir": join(root, "build/native"),
      "registry-hosts": join(dir.path, "registries"),
    }),
  });
  const engineProgram = options.asDockerd
    ? [join(root, "dockerd")]
    : [process.execPath, options.program ?? mainOf("engine")];
  const argv = [...(options.through ?? []), ...engineProgram, ...flags, ...(options.flags ?? [])];
  await mkdir(execRoot);
  const configure = (config: Readonly<Record<string, unknown>>) =>
    writeFile(configFile, JSON.stringify(config));
  await configure(options.config ?? {});
  const setDockerHub = async (address: string) => {
    const folder = join(dir.path, "registries/docker.io");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "hosts.toml"), `server = "http://${address}"\n`);
  };
  // No test asks the world, whether it can be reached or not.
  await setDockerHub("127.0.0.1:9");
  const folders = [dir.path, execRoot];
  let running: RunningProgram | undefined;

  const clientEnv = (env: CommandOptions["env"]) => ({
    ...process.env,
    DOCKER_HOST: host,
    DOCKER_CONFIG: dir.path,
    ...env,
  });
  const ofEngine = () => findProcesses(({ command }) => folders.some((folder) => command.includes(folder)));
  const natives = (wanted: "launcher" | "monitor") => {
    const all = ofEngine().filter(({ name }) => name.startsWith("hawser-") && name !== "hawser-keeper");
    return all.filter((entry) => isLauncher(entry, all) === (wanted === "launcher")).map(({ pid }) => pid);
  };

  const engine: TestEngine = {
    host,
    socket,
    dataRoot,
    execRoot,
    ...names,
    pidFile,
    configure,
    reload: () => process.kill(engine.pid(), "SIGHUP"),
    setDockerHub,
    pid: () => {
      if (running === undefined) throw new Error("the engine is not running");
      return running.pid;
    },
    launchers: () => natives("launcher"),
    monitors: () => natives("monitor"),
    async start(extraFlags = [], env = {}) {
      const started = await startProgram([...argv, ...extraFlags], {
        log,
        env: { ...process.env, ...options.env, ...env },
      });
      running = started;
      const isThere = async () =>
        started.hasEnded() || (existsSync(socket) && (await ask(socket, "GET /_ping")).status === 200);
      await eventually(isThere, { deadlineMs: 20_000, what: "the engine answers" });
      if (started.hasEnded()) throw new Error(`the engine ended: ${started.output()}`);
    },
    async waitForEnd() {
      await eventually(() => running?.hasEnded() !== false, { what: "the engine has ended" });
      running = undefined;
    },
    async stop() {
      await running?.kill("SIGTERM");
      running = undefined;
    },
    async kill() {
      await running?.kill("SIGKILL");
      running = undefined;
    },
    log: () => running?.output() ?? "",
    docker: (args, commandOptions = {}) =>
      runCommand([dockerCli(), ...args], { ...commandOptions, env: clientEnv(commandOptions.env) }),
    hawser: (args, commandOptions = {}) =>
      runCommand([...hawserCli(), ...args], { ...commandOptions, env: clientEnv(commandOptions.env) }),
    async [Symbol.asyncDispose]() {
      const problems: string[] = [];
      try {
        if (running === undefined || running.hasEnded()) await engine.start();
        await removeContainers(engine);
        await ask(socket, "POST /networks/prune");
        await engine.stop();
        problems.push(...(await leftovers()));
      } finally {
        await clearAway();
      }
      if (problems.length > 0) throw new Error(`the engine left behind:\n${problems.join("\n")}`);
    },
  };

  /** What is there after the last container is gone and the engine has ended, beyond what it keeps for the next one. */
  const leftovers = async (): Promise<string[]> => {
    let found: string[] = [];
    const look = () => {
      found = [
        ...engine.monitors().map((pid) => `monitor ${pid}`),
        ...folders.flatMap(findMounts).map((target) => `mount ${target}`),
      ];
      return found.length === 0;
    };
    await eventually(look).catch(() => {});
    return found;
  };

  const clearAway = async (): Promise<void> => {
    await running?.kill("SIGKILL");
    for (const { pid } of ofEngine()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // it has ended by itself
      }
    }
    await eventually(() => ofEngine().length === 0, { what: "the engine's processes are gone" });
    await runCommand(["ip", "link", "delete", names.bridge]);
    const tables = ["inet", "ip"].map((family) => `table ${family} ${names.nftTable}`);
    // Made where it is not there, so that it can be deleted.
    await runNft(tables.map((table) => `add ${table}\ndelete ${table}\n`).join(""));
    for (const target of folders.flatMap(findMounts).toReversed()) await runCommand(["umount", "-l", target]);
    await removeCgroups([names.cgroupParent]);
    await rm(execRoot, { recursive: true, force: true });
    await dir[Symbol.asyncDispose]();
  };

  try {
    await engine.start();
  } catch (error) {
    await clearAway();
    throw error;
  }
  return engine;
}

/** What an engine that is told no more than its exec root gives itself. */
function dockerdNames(execRoot: string) {
  const { bridge, nftTable, cgroupParent } = layoutOf("dockerd", execRoot);
  return { bridge, nftTable, cgroupParent: cgroupParent.slice(1) };
}

/** By the API: a start of the client costs a tenth of a second of a processor, and this is done for every engine. */
async function removeContainers({ socket }: TestEngine): Promise<void> {
  const listed = await ask(socket, "GET /containers/json?all=1");
  const found = JSON.parse(listed.text) as readonly { readonly Id: string }[];
  const removed = await Promise.all(
    found.map(({ Id }) => ask(socket, `DELETE /containers/${Id}?force=1&v=1`)),
  );
  for (const { status, text } of removed) {
    if (status !== 204 && status !== 404) throw new Error(`a container stays: ${text}`);
  }
}

/** A monitor is a fork of the launcher, which names itself as soon as it knows that it is one. */
function isLauncher(entry: ProcessEntry, all: readonly ProcessEntry[]): boolean {
  if (entry.name === "hawser-monitor") return false;
  return all.every(({ pid }) => pid !== entry.parent);
}
