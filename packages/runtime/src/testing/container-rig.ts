import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rmdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Logger, silentLogger } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { formatRuntimeSpec, type RuntimeSpec } from "@hawser/oci";
import { cgroupsOf } from "../cgroup/cgroup-layout.ts";
import type { ContainerConfig, HostConfig } from "../container-config.ts";
import { readHostFacts } from "../host-facts.ts";
import { readLog } from "../logs/read-log.ts";
import { Launcher } from "../monitor/launcher.ts";
import type { Monitor } from "../monitor/monitor.ts";
import type { StartRequest } from "../monitor/start-request.ts";
import { resolveDevices } from "../resolve-devices.ts";
import { parseBind } from "../spec/bind.ts";
import { buildSpec } from "../spec/build-spec.ts";
import type { SpecInput } from "../spec/spec-input.ts";
import { resolveUser } from "../spec/user.ts";
import { makeConfig, makeHostConfig } from "./container-config.ts";

const build = join(import.meta.dirname, "../../../../build");
const native = join(build, "native");

/** The native programs under test. */
export const launcherProgram = join(native, "hawser-launcher");
const initProgram = join(native, "hawser-init");

const accounts = {
  passwd: "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n",
  group: "root:x:0:\nalice:x:1000:\nwheel:x:10:alice\n",
};

export interface ContainerRequest {
  readonly config?: Partial<ContainerConfig>;
  readonly hostConfig?: Partial<HostConfig>;
  /** What goes into the specification beside the configuration. */
  readonly input?: Partial<Pick<SpecInput, "namespacePaths" | "shmPath">>;
  readonly start?: Partial<StartRequest>;
  readonly changeSpec?: (spec: RuntimeSpec) => RuntimeSpec;
}

/** A container, asked for. */
export interface RigContainer {
  readonly id: string;
  readonly dir: string;
  readonly logPath: string;
  readonly exitRecord: string;
  /** Its cgroups, which its monitor takes away. */
  readonly cgroups: readonly string[];
  readonly monitor: Monitor;
}

/**
 * Real containers of a busybox image, with the real launcher, monitor and crun, in folders of their own. Disposing ends
 * them all and fails when a cgroup is left.
 */
export class ContainerRig implements AsyncDisposable {
  readonly root: string;
  readonly execRoot: string;
  launcher: Launcher;
  readonly #host: SpecInput["host"];
  readonly #resources: AsyncDisposableStack;
  readonly #cgroupParent: string;
  readonly #monitors: Monitor[] = [];
  #count = 0;

  private constructor(options: {
    readonly root: string;
    readonly launcher: Launcher;
    readonly host: SpecInput["host"];
    readonly resources: AsyncDisposableStack;
  }) {
    this.root = options.root;
    this.execRoot = join(options.root, "exec");
    this.launcher = options.launcher;
    this.#host = options.host;
    this.#resources = options.resources;
    this.#cgroupParent = `/hawser-test-${process.pid}`;
  }

  static async open(options: { readonly log?: Logger } = {}): Promise<ContainerRig> {
    assert.ok(existsSync(launcherProgram), "the native programs are not built: make -C native");
    await using resources = new AsyncDisposableStack();
    const { path: root } = resources.use(await openTempDir());
    for (const folder of ["exec", "lower/bin", "lower/etc", "lower/root", "lower/home/alice"]) {
      await mkdir(join(root, folder), { recursive: true });
    }
    await copyFile(join(build, "busybox/busybox"), join(root, "lower/bin/busybox"));
    for (const name of applets) await symlink("busybox", join(root, "lower/bin", name));
    await writeFile(join(root, "lower/etc/passwd"), accounts.passwd);
    await writeFile(join(root, "lower/etc/group"), accounts.group);
    await writeFile(join(root, "lower/bin/noexec"), "data", { mode: 0o644 });
    const launcher = await Launcher.open({
      execRoot: join(root, "exec"),
      program: launcherProgram,
      version: "test",
      log: options.log ?? silentLogger,
    });
    return new ContainerRig({ root, launcher, host: await readHostFacts(), resources: resources.move() });
  }

  get host(): SpecInput["host"] {
    return this.#host;
  }

  /** Ask for a container; it may fail to start. */
  async start(request: ContainerRequest = {}): Promise<RigContainer> {
    this.#count += 1;
    const id = `box${process.pid}x${this.#count}`;
    const dir = join(this.execRoot, id);
    const data = join(this.root, id);
    for (const folder of [dir, join(data, "upper"), join(data, "work")])
      await mkdir(folder, { recursive: true });
    const cgroups = cgroupsOf(this.#host.cgroups, { parent: this.#cgroupParent, id });
    const config = makeConfig(request.config);
    const hostConfig = makeHostConfig(request.hostConfig);
    const spec = buildSpec({
      config,
      hostConfig,
      rootfs: join(dir, "rootfs"),
      cgroupsPath: cgroups.path,
      user: resolveUser(config.user, { ...accounts, groupAdd: hostConfig.groupAdd }),
      host: this.#host,
      namespacePaths: {},
      mounts: hostConfig.binds.map(parseBind),
      files: {},
      initPath: initProgram,
      devices: await resolveDevices(hostConfig),
      ...request.input,
    });
    const changed = request.changeSpec?.(spec) ?? spec;
    await writeFile(join(dir, "config.json"), formatRuntimeSpec(changed));
    const logPath = join(data, "json.log");
    const exitRecord = join(data, "exit");
    const monitor = await this.launcher.start({
      id,
      dir,
      rootfs: join(dir, "rootfs"),
      overlay: { lower: [join(this.root, "lower")], upper: join(data, "upper"), work: join(data, "work") },
      runtime: "/usr/bin/crun",
      runtimeArgs: [],
      runtimeDelete: false,
      cgroups: cgroups.folders,
      log: { path: logPath, maxSizeBytes: 1 << 20, maxFiles: 3 },
      exitRecord,
      durable: false,
      tty: config.tty,
      height: 0,
      width: 0,
      stdin: config.openStdin,
      stdinOnce: config.stdinOnce,
      attachCount: 0,
      ...request.start,
    });
    this.#monitors.push(monitor);
    return { id, dir, logPath, exitRecord, cgroups: cgroups.folders, monitor };
  }

  /** Run a shell script in a container to its end; what it wrote, and its exit code. */
  async run(
    script: string,
    request: ContainerRequest = {},
  ): Promise<{ readonly output: string; readonly code: number }> {
    const { monitor, logPath } = await this.start({
      ...request,
      config: { cmd: ["sh", "-c", script], ...request.config },
    });
    await monitor.started;
    const { code } = await monitor.exited;
    await monitor.gone;
    let output = "";
    for await (const { text } of readLog(logPath)) output += text;
    return { output, code };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _resources = this.#resources;
    for (const monitor of this.#monitors) {
      await monitor.kill(9).catch(() => {}); // most have ended
      await monitor.gone;
      monitor[Symbol.dispose]();
    }
    await this.launcher.shutDown();
    const { folders } = cgroupsOf(this.#host.cgroups, { parent: "/", id: this.#cgroupParent });
    for (const folder of folders) if (existsSync(folder)) await rmdir(folder); // fails when a container's is left in it
  }
}

/** A field of `/proc/self/status` in a container's output. */
export function statusField(output: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(.*)$`, "m").exec(output)?.[1];
}

/** What the container's first process sees of itself, by its process id on the host. */
export async function readStatus(pid: number): Promise<string> {
  return await readFile(`/proc/${pid}/status`, "utf8");
}

const applets =
  "sh cat id mount umount true false sleep env ls hostname grep stat dd mkdir touch chmod chown echo tty stty kill ps cut head tail wc test nproc unshare chroot ping nc ifconfig".split(
    " ",
  );
