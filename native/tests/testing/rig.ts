import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, open, readFile, rm, rmdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { eventually, openTempDir } from "@hawser/base/testing";
import { type Fields, type Frame, FrameSocket } from "./frame-socket.ts";

const native = join(import.meta.dirname, "../..");
const build = join(native, "../build/native");

/** The programs as users have them. */
export const released = {
  launcher: join(build, "hawser-launcher"),
  init: join(build, "hawser-init"),
  hello: join(build, "hello"),
};

/** The same with sanitizers: what they find ends a program and stands in the launcher's log. */
export const sanitized = {
  launcher: join(build, "sanitize/hawser-launcher"),
  init: join(build, "sanitize/hawser-init"),
  stub: join(build, "sanitize/hawser-stub"),
  keeper: join(build, "sanitize/hawser-keeper"),
};

export function buildPrograms(): void {
  const { status, stderr } = spawnSync("make", ["-s", "-C", native, "all", "sanitize"], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

export interface ContainerOptions {
  readonly args: readonly string[];
  readonly tty?: boolean;
  /** More or other keys of the `start` message. */
  readonly fields?: Fields;
  /** Change config.json. */
  readonly configure?: (config: RuntimeConfig, dir: string) => void;
  /** Leave out what comes with a log: none is kept. */
  readonly log?: false;
}

export interface RuntimeConfig {
  ociVersion: string;
  hostname?: string;
  process: Record<string, unknown>;
  root: Record<string, unknown>;
  mounts: Record<string, unknown>[];
  linux: {
    cgroupsPath: string;
    namespaces: { type: string; path?: string }[];
    resources: Record<string, unknown>;
  };
}

/** A container that was asked for, and the connection that asked. */
export interface Container {
  readonly id: string;
  readonly dir: string;
  readonly state: string;
  readonly control: FrameSocket;
  readonly cgroups: readonly string[];
}

/**
 * A launcher of its own with a folder of its own; when it goes, it proves that nothing is left: no process, no cgroup, no
 * mount, no word in the launcher's log.
 */
export class Rig implements AsyncDisposable {
  readonly dir: string;
  readonly root: string;
  readonly #folder: AsyncDisposable;
  readonly #mark: string;
  readonly #program: string;
  readonly #complaints: RegExp[] = [];
  #launcher: ChildProcess | undefined;
  #next = 1;

  private constructor(folder: AsyncDisposable & { readonly path: string }, program: string) {
    this.#folder = folder;
    this.dir = folder.path;
    this.root = join(this.dir, "root");
    this.#mark = `hawser-native-${randomBytes(4).toString("hex")}`;
    this.#program = program;
  }

  static async open(program: string = sanitized.launcher): Promise<Rig> {
    const rig = new Rig(await openTempDir("hn-"), program);
    await rig.#makeRoot();
    await rig.launch();
    return rig;
  }

  get socketPath(): string {
    return join(this.dir, "x/launcher.sock");
  }

  get launcherPid(): number {
    return this.#launcher?.pid ?? 0;
  }

  /** Lines of the launcher's log that the test provokes. */
  expectComplaint(pattern: RegExp): void {
    this.#complaints.push(pattern);
  }

  async launch(preload: readonly string[] = []): Promise<void> {
    await mkdir(join(this.dir, "x"), { recursive: true, mode: 0o700 });
    const log = await open(join(this.dir, "launcher.log"), "a");
    const kept = preload.flatMap((path) => ["--preload", path]);
    const args = ["--socket", this.socketPath, "--version-string", "test", ...kept];
    this.#launcher = spawn(this.#program, args, {
      stdio: ["ignore", "ignore", log.fd],
      env: {
        ...process.env,
        NOTIFY_SOCKET: "/nowhere",
        ASAN_OPTIONS: "detect_leaks=1",
        HAWSER_MARK: this.#mark,
      },
    });
    await log.close();
    await eventually(async () => (await this.ask("ping")) === "pong", { what: "the launcher answers" });
  }

  async connect(): Promise<FrameSocket> {
    return await FrameSocket.open(this.socketPath);
  }

  /** One question to the launcher. */
  async ask(kind: string): Promise<string> {
    using socket = await this.connect();
    socket.send(kind);
    return (await socket.next())?.kind ?? "nothing";
  }

  /** Start one more for the same socket; returns its exit code. */
  async launchAnother(): Promise<number | null> {
    const log = await open(join(this.dir, "launcher.log"), "a");
    const another = spawn(this.#program, ["--socket", this.socketPath, "--version-string", "other"], {
      stdio: ["ignore", "ignore", log.fd],
    });
    await log.close();
    const { promise, resolve } = Promise.withResolvers<number | null>();
    another.once("exit", resolve);
    return await promise;
  }

  /** kill -9. */
  async killLauncher(): Promise<void> {
    const launcher = this.#launcher;
    const { promise, resolve } = Promise.withResolvers<void>();
    launcher?.once("exit", () => resolve());
    launcher?.kill("SIGKILL");
    await promise;
  }

  /** Write the bundle, send `start`, and return without waiting for anything. */
  async start(options: ContainerOptions): Promise<Container> {
    const container = await this.prepare(options);
    container.control.send("start", container.fields);
    return container;
  }

  async prepare(options: ContainerOptions): Promise<Container & { readonly fields: Fields }> {
    const id = `c${this.#next++}`;
    const dir = join(this.dir, "x/c", id);
    const state = join(this.dir, "state", id);
    await mkdir(dir, { recursive: true });
    await mkdir(join(state, "diff"), { recursive: true });
    await mkdir(join(state, "work"));
    const config = this.#config(id, dir, options);
    options.configure?.(config, dir);
    await writeFile(join(dir, "config.json"), JSON.stringify(config));
    const cgroups = controllerFolders().map((folder) => join(folder, this.#mark, id));
    const fields = {
      protocol: 1,
      id,
      dir,
      rootfs: join(dir, "rootfs"),
      lower: this.root,
      upper: join(state, "diff"),
      work: join(state, "work"),
      "overlay-option": "volatile",
      runtime: "/usr/bin/crun",
      cgroup: cgroups,
      "exit-record": join(state, "exit"),
      tty: options.tty === true,
      ...(options.log !== false && { log: join(state, "json.log"), "log-max-size": 0, "log-max-files": 2 }),
      ...options.fields,
    };
    return { id, dir, state, control: await this.connect(), cgroups, fields };
  }

  /** The first process runs when this returns. */
  async run(options: ContainerOptions): Promise<Container> {
    const container = await this.start(options);
    await container.control.wait("started");
    return container;
  }

  /** The state that a new control connection is told; `undefined` when no monitor listens. */
  async monitorOf(container: Container): Promise<Frame | undefined> {
    try {
      using control = await FrameSocket.open(join(container.dir, "monitor.sock"));
      control.send("control");
      return await control.next();
    } catch {
      return undefined;
    }
  }

  /** Everything there is no more of a container when its monitor has said "gone" and its folder may be removed. */
  async expectGone(container: Container): Promise<void> {
    await container.control.wait("gone");
    assert.equal(await container.control.next(), undefined);
    const left = readdirSync(container.dir).filter((name) => name !== "exec");
    assert.deepEqual(left.toSorted(), ["config.json", "rootfs"]);
    for (const cgroup of container.cgroups) assert.equal(existsSync(cgroup), false, cgroup);
    container.control[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#launcher?.exitCode === null && this.#launcher.signalCode === null) {
      assert.equal(await this.ask("shutdown"), "done");
    }
    try {
      await eventually(() => this.#processes().length === 0, { what: "no process is left" });
    } catch (error) {
      await this.#killLeftovers();
      throw error;
    }
    for (const folder of controllerFolders()) {
      const cgroup = join(folder, this.#mark);
      if (!existsSync(cgroup)) continue;
      const below = readdirSync(cgroup, { withFileTypes: true }).filter((entry) => entry.isDirectory());
      assert.deepEqual(below, [], `cgroups are left in ${cgroup}`);
      await rmdir(cgroup);
    }
    assert.equal(readFileSync("/proc/self/mountinfo", "utf8").includes(this.dir), false);
    const log = await readFile(join(this.dir, "launcher.log"), "utf8");
    const words = log
      .split("\n")
      .filter((line) => line !== "" && !this.#complaints.some((pattern) => pattern.test(line)));
    assert.deepEqual(words, []);
    await this.#folder[Symbol.asyncDispose]();
  }

  /** Launchers and monitors of this rig, which carry its mark in their environment. */
  #processes(): string[] {
    return readdirSync("/proc").filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`HAWSER_MARK=${this.#mark}`);
      } catch {
        return false;
      }
    });
  }

  /** A test has failed half-way; the next one is to find the machine as it was. */
  async #killLeftovers(): Promise<void> {
    const cgroups = controllerFolders()
      .map((folder) => join(folder, this.#mark))
      .filter((folder) => existsSync(folder));
    const containers = cgroups.flatMap((folder) =>
      readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(folder, entry.name)),
    );
    const inside = containers.flatMap((path) => readFileSync(join(path, "cgroup.procs"), "utf8").split("\n"));
    for (const pid of [...this.#processes(), ...inside]) {
      if (Number(pid) > 1 && existsSync(`/proc/${pid}`)) process.kill(Number(pid), "SIGKILL");
    }
    for (const path of [...containers, ...cgroups]) {
      await eventually(async () => {
        await rmdir(path);
        return true;
      });
    }
  }

  #config(id: string, dir: string, options: ContainerOptions): RuntimeConfig {
    return {
      ociVersion: "1.0.2",
      process: {
        terminal: options.tty === true,
        user: { uid: 0, gid: 0 },
        args: options.args,
        env: ["PATH=/bin", "TERM=xterm"],
        cwd: "/",
      },
      root: { path: join(dir, "rootfs") },
      mounts: [
        { destination: "/proc", type: "proc", source: "proc" },
        { destination: "/dev", type: "tmpfs", source: "tmpfs" },
        {
          destination: "/dev/pts",
          type: "devpts",
          source: "devpts",
          options: ["newinstance", "ptmxmode=0666"],
        },
      ],
      linux: {
        cgroupsPath: `/${this.#mark}/${id}`,
        namespaces: ["pid", "ipc", "uts", "mount"].map((type) => ({ type })),
        resources: {},
      },
    };
  }

  async #makeRoot(): Promise<void> {
    for (const name of ["bin", "proc", "dev", "sys", "tmp"])
      await mkdir(join(this.root, name), { recursive: true });
    const busybox = join(native, "../build/busybox/busybox");
    await copyFile(busybox, join(this.root, "bin/busybox"));
    const { stdout } = spawnSync(busybox, ["--list"], { encoding: "utf8" });
    for (const name of stdout.trim().split("\n")) {
      if (name !== "busybox") await symlink("busybox", join(this.root, "bin", name));
    }
  }
}

/** Where cgroups are made: the one of v2, or one for each hierarchy of v1. */
function controllerFolders(): string[] {
  const top = "/sys/fs/cgroup";
  if (existsSync(join(top, "cgroup.controllers"))) return [top];
  return readdirSync(top, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "unified")
    .map((entry) => join(top, entry.name));
}

/** Attach to a container, or start a process in it; the stream begins where the answer ends. */
export async function openStream(
  container: Container,
  kind: "attach" | "exec",
  fields: Fields,
): Promise<FrameSocket> {
  const socket = await FrameSocket.open(join(container.dir, "monitor.sock"));
  socket.send(kind, { stdout: true, stderr: true, format: "frames", ...fields });
  const answer = await socket.next();
  if (answer?.kind !== (kind === "attach" ? "attached" : "started")) {
    socket[Symbol.dispose]();
    throw new Error(answer?.["message"] ?? answer?.kind ?? "the monitor closed");
  }
  return socket;
}

/** Write the file that describes a process for `exec`. */
export async function processFile(
  container: Container,
  args: readonly string[],
  options: { readonly tty?: boolean; readonly consoleSize?: { height: number; width: number } } = {},
): Promise<string> {
  const path = join(container.dir, `../${container.id}-${randomBytes(4).toString("hex")}.json`);
  const body = {
    terminal: options.tty === true,
    consoleSize: options.consoleSize,
    user: { uid: 0, gid: 0 },
    args,
    env: ["PATH=/bin", "TERM=xterm"],
    cwd: "/",
  };
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify(body));
  return path;
}

export async function removeState(container: Container): Promise<void> {
  await rm(container.dir, { recursive: true });
  await rm(container.state, { recursive: true });
}

export interface LogEntry {
  readonly log: string;
  readonly stream: string;
  readonly time: string;
}

export async function readLog(path: string): Promise<LogEntry[]> {
  const text = await readFile(path, "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line): LogEntry => JSON.parse(line));
}
