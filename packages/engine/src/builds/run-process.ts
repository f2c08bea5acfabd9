import { chmod, chown, lstat, mkdir, writeFile } from "node:fs/promises";
import { basename, join, posix } from "node:path";
import { Fault } from "@hawser/base";
import type { ExecOp } from "@hawser/build";
import type { ChainId } from "@hawser/oci";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import { openArchive, readFiles, statPath, writeArchive } from "@hawser/store";
import type { Collaborators } from "../containers/collaborators.ts";
import type { Container } from "../containers/container.ts";
import { type ContainerId, type ContainerMount, createdState } from "../containers/container-record.ts";
import { enginesOwnFiles } from "../containers/files-root.ts";
import { containerDirOf } from "../containers/host.ts";
import { withDefaults } from "../containers/host-defaults.ts";
import { containerLog } from "../containers/logs.ts";
import { createContainerId } from "../containers/names.ts";
import { mountSnapshotOf } from "../containers/plan-mounts.ts";
import { removeContainer } from "../containers/remove.ts";
import { startContainer } from "../containers/start.ts";
import { waitForContainer } from "../containers/wait.ts";
import { planAttachments } from "../networks/plan-attachments.ts";
import { openAgentSocket } from "./agent-socket.ts";
import type { BuildState } from "./build-state.ts";
import { cacheFolderName } from "./cache-mounts.ts";
import { buildFaults } from "./faults.ts";
import type { BuildFiles } from "./op-runner.ts";

/** Marks containers of builds: what an engine that died left of them is removed by the next. */
export const buildMark = "io.hawser.build";

export interface ProcessWork {
  /** What nobody asks otherwise of. */
  readonly defaults: { readonly config: ContainerConfig; readonly hostConfig: HostConfig };
  /** Limits of the build. */
  readonly limits: Partial<HostConfig>;
  /** Where caches are kept, and texts put for this run. */
  readonly cacheDir: string;
  readonly runDir: string;
  readonly files: Pick<BuildFiles, "secret" | "agent">;
  readonly inputs: readonly (BuildState | undefined)[];
  readonly signal: AbortSignal;
  readonly output: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  readonly onContainer: (id: string) => void;
}

/** The layer that a process wrote to a mount of that number; -1: to its root. */
export type ReadLayer = (mount: number) => AsyncIterable<Uint8Array>;

/**
 * `RUN`: run a process in a container on top of `parent`, give `use` what it wrote, and remove the container.
 *
 * @throws {Fault} `invalid-argument` when it ends with anything but 0; as a start of a container
 */
export async function runProcess<T>(
  collaborators: Collaborators,
  request: { readonly op: ExecOp; readonly parent: ChainId | undefined; readonly work: ProcessWork },
  use: (read: ReadLayer) => Promise<T>,
): Promise<T> {
  const { op, parent, work } = request;
  const { snapshots } = collaborators;
  await using prepared = new AsyncDisposableStack();
  const id = createContainerId(collaborators.host.randomBytes);
  const { mounts, env } = await prepareMounts(collaborators, op, { ...work, prepared, id });
  const container = await createBuildContainer(collaborators, { id, op, parent, mounts, work });
  container.secretEnv = env;
  try {
    work.onContainer(container.id);
    const stop = () => {
      removeContainer(collaborators, container, { force: true }).catch(() => {}); // the end removes it again
    };
    work.signal.addEventListener("abort", stop, { once: true });
    try {
      await startContainer(collaborators, container).catch((error: unknown) => {
        throw emulatorMissing(error, op) ?? error;
      });
      const exit = waitForContainer(container, "not-running");
      const log = containerLog(collaborators, container, { stdout: true, stderr: true, follow: true });
      let lacksEmulator = false;
      for await (const { stream, text } of log) {
        lacksEmulator ||= op.foreignPlatform !== undefined && isFormatError(text);
        work.output(stream, Buffer.from(text));
      }
      const { exitCode } = await exit;
      work.signal.throwIfAborted();
      if (lacksEmulator && exitCode !== 0)
        throw buildFaults.EMULATOR_MISSING(op.args.join(" "), op.foreignPlatform ?? "");
      if (!(op.exitCodes ?? [0]).includes(exitCode))
        throw buildFaults.PROCESS_FAILED(op.args.join(" "), exitCode);
    } finally {
      work.signal.removeEventListener("abort", stop);
    }
    await container.tornDown;
    return await use((number) => {
      const mount = op.mounts[number];
      const place = mount?.kind === "bind" ? mount : { target: "/", source: "/" };
      const { upper } = snapshots.get(number < 0 ? id : mountSnapshotOf(id, number));
      // Folders that are there for other mounts alone.
      const leaveOut = mounts.flatMap(({ target }) => {
        const below = posix.relative(place.target, target);
        return below === "" || below.startsWith("..") ? [] : [posix.join(place.source, below).slice(1)];
      });
      const own = number < 0 ? enginesOwnFiles : [];
      return readFiles(
        { kind: "folder", path: upper },
        { kind: "layer", leaveOut: [...own, ...leaveOut] },
        work,
      );
    });
  } finally {
    if (collaborators.index.find(container.id) === container) {
      await removeContainer(collaborators, container, { force: true });
    }
  }
}

/** Why a program for another machine does not begin. */
function emulatorMissing(error: unknown, { foreignPlatform, args }: ExecOp): Fault | undefined {
  if (foreignPlatform === undefined || !Fault.is(error) || !isFormatError(error.message)) return undefined;
  return buildFaults.EMULATOR_MISSING(args.join(" "), foreignPlatform).because(error);
}

/** The kernel's words for a program that it cannot start; an OCI runtime passes them on, or prints them in the container. */
function isFormatError(text: string): boolean {
  return /exec format error/i.test(text);
}

/** A container of a build's, which has not been started. */
export async function createBuildContainer(
  collaborators: Collaborators,
  request: {
    readonly id: ContainerId;
    readonly op: ExecOp;
    readonly parent: ChainId | undefined;
    readonly mounts: readonly ContainerMount[];
    readonly work: Pick<ProcessWork, "defaults" | "limits">;
    /** Somebody talks to it while it runs: nothing of that is in a log. */
    readonly streams?: { readonly tty: boolean };
  },
): Promise<Container> {
  const { index, networks, snapshots, host } = collaborators;
  const { id, op, parent, mounts, work, streams } = request;
  const { defaults, limits } = work;
  const networkMode = op.network === "default" ? defaults.hostConfig.networkMode : op.network;
  const config: ContainerConfig = {
    ...defaults.config,
    hostname: op.hostname ?? "buildkitsandbox",
    image: parent ?? "scratch",
    env: [...op.hiddenEnv, ...op.env],
    entrypoint: [],
    cmd: op.args,
    user: op.user,
    workingDir: op.workingDir,
    ...(streams && { tty: streams.tty, openStdin: true, stdinOnce: true }),
  };
  const tmpfs = op.mounts.flatMap((mount) =>
    mount.kind === "tmpfs"
      ? [[mount.target, mount.sizeBytes === undefined ? "" : `size=${mount.sizeBytes}`] as const]
      : [],
  );
  const hostConfig: HostConfig = {
    ...withDefaults({ ...defaults.hostConfig, ...limits, networkMode, privileged: op.privileged }, host),
    ...(op.readOnlyRoot === true && { readonlyRootfs: true }),
    ...(op.hosts && { extraHosts: [...(limits.extraHosts ?? []), ...op.hosts] }),
    ...(op.ulimits && { ulimits: [...(limits.ulimits ?? []), ...op.ulimits] }),
    ...(op.cgroupParent !== undefined && { cgroupParent: op.cgroupParent }),
    ipcMode: "private",
    log: { driver: streams === undefined ? "json-file" : "none", options: {} },
    tmpfs: Object.fromEntries(tmpfs),
    annotations: { [buildMark]: "" },
  };
  await Promise.all([
    snapshots.prepare(id, parent),
    mkdir(containerDirOf(host, id), { recursive: true, mode: 0o710 }),
  ]);
  try {
    return index.add({
      id,
      name: `build-${id.slice(0, 12)}`,
      mounts,
      attachments: planAttachments(networks, { networkMode, endpoints: {}, macAddress: "" }),
      createdAtMs: host.now(),
      imageId: "",
      config,
      hostConfig,
      state: createdState,
      restartCount: 0,
    });
  } catch (error) {
    await snapshots.remove(id);
    throw error;
  }
}

/** The folders and files that `--mount` brings in. */
export async function prepareMounts(
  collaborators: Collaborators,
  op: Pick<ExecOp, "mounts">,
  work: Omit<ProcessWork, "output" | "onContainer"> & {
    readonly prepared: AsyncDisposableStack;
    readonly id: ContainerId;
  },
): Promise<{ readonly mounts: readonly ContainerMount[]; readonly env: readonly string[] }> {
  const mounts: ContainerMount[] = [];
  const env: string[] = [];
  const findSecret = async ({ id, isRequired }: { readonly id: string; readonly isRequired: boolean }) => {
    const secret = await work.files.secret(id);
    if (secret === undefined && isRequired) throw buildFaults.SECRET_MISSING(id);
    return secret;
  };
  const add = (source: string, target: string, readOnly: boolean) =>
    mounts.push({
      type: "bind",
      source,
      target,
      readOnly,
      recursive: true,
      propagation: "rprivate",
      mode: "",
    });
  for (const [number, mount] of op.mounts.entries()) {
    switch (mount.kind) {
      case "tmpfs":
        break;
      case "cache": {
        add(await openCache(work.cacheDir, mount), mount.target, mount.readOnly);
        break;
      }
      case "secret": {
        const bytes = await findSecret(mount);
        if (bytes === undefined) break;
        add(await writeRunFile(work, `${number}`, { ...mount, bytes }), mount.target, true);
        break;
      }
      case "secret-variable": {
        const bytes = await findSecret(mount);
        if (bytes !== undefined) env.push(`${mount.name}=${Buffer.from(bytes).toString()}`);
        break;
      }
      case "ssh": {
        const socket = await openAgentSocket(mount, { ...work, name: `${number}` });
        if (socket === undefined) {
          if (mount.isRequired) throw buildFaults.AGENT_MISSING(mount.id);
          break;
        }
        work.prepared.use(socket);
        add(socket.path, mount.target, false);
        break;
      }
      case "text": {
        const bytes = Buffer.from(mount.content);
        add(
          await writeRunFile(work, `${number}`, { bytes, mode: 0o755, uid: 0, gid: 0 }),
          mount.target,
          true,
        );
        break;
      }
      case "bind": {
        const { source, target, readOnly } = mount;
        const input = work.inputs[mount.input];
        if (input?.kind !== "context") {
          mounts.push(await mountFiles(collaborators, { input, source, target, readOnly, number }, work));
          break;
        }
        add(
          await bringSource(
            {
              input,
              source,
              place: join(work.runDir, `${number}`),
            },
            work,
          ),
          target,
          readOnly,
        );
      }
    }
  }
  return { mounts, env };
}

/** The folder of a cache; it gets its rights when it is made. */
async function openCache(
  cacheDir: string,
  { id, rights }: Extract<ExecOp["mounts"][number], { readonly kind: "cache" }>,
): Promise<string> {
  const { mode, uid, gid } = rights ?? { mode: 0o755, uid: 0, gid: 0 };
  const folder = join(cacheDir, cacheFolderName(id));
  if ((await mkdir(folder, { recursive: true })) !== undefined) {
    await chown(folder, uid, gid);
    await chmod(folder, mode & 0o7777);
  }
  return folder;
}

/**
 * A part of a file system as it is: what a process writes is in a snapshot, which goes with the container. No link leads out of it.
 */
async function mountFiles(
  { snapshots }: Collaborators,
  mount: {
    readonly input: BuildState | undefined;
    readonly source: string;
    readonly target: string;
    readonly readOnly: boolean;
    readonly number: number;
  },
  {
    prepared,
    id,
    signal,
  }: { readonly prepared: AsyncDisposableStack; readonly id: ContainerId; readonly signal: AbortSignal },
): Promise<ContainerMount> {
  const { input, source, target, readOnly, number } = mount;
  const chainId = input?.kind === "files" ? input.chainId : undefined;
  const subpath = posix.resolve("/", source).slice(1);
  if (subpath !== "") {
    const lower = snapshots.lowerFolders(chainId);
    const isThere = await statPath({ kind: "layers", lower }, `/${subpath}`, { signal }).then(
      () => true,
      (error: unknown) => {
        if (Fault.is(error, "not-found") || Fault.is(error, "invalid-argument")) return false;
        throw error;
      },
    );
    if (!isThere) throw buildFaults.SOURCE_MISSING(`/${subpath}`);
  }
  const snapshot = mountSnapshotOf(id, number);
  await snapshots.prepare(snapshot, chainId);
  prepared.defer(() => snapshots.remove(snapshot)); // where no container has come to own it
  return {
    type: "image",
    source: chainId ?? "scratch",
    target,
    readOnly,
    recursive: true,
    propagation: "rprivate",
    mode: "",
    ...(subpath !== "" && { subpath }),
    image: { id: chainId ?? "", snapshot },
  };
}

async function writeRunFile(
  { runDir }: Pick<ProcessWork, "runDir">,
  name: string,
  file: { readonly bytes: Uint8Array; readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<string> {
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  const path = join(runDir, name);
  await writeFile(path, file.bytes, { mode: file.mode });
  await chown(path, file.uid, file.gid);
  return path;
}

/**
 * A part of the user's files as a folder or file of this run's own: what a process does to it is lost, and no link in it leads to
 * the host.
 */
async function bringSource(
  mount: {
    readonly input: Extract<BuildState, { readonly kind: "context" }>;
    readonly source: string;
    readonly place: string;
  },
  { signal }: Pick<ProcessWork, "signal">,
): Promise<string> {
  const { input, source, place } = mount;
  const path = posix.normalize(`/${source}`);
  const { root } = input.context;
  await mkdir(place, { recursive: true, mode: 0o700 });
  const name = basename(path);
  await using opened = await openArchive(root, path, { signal });
  const target = { kind: "folder", path: place } as const;
  await writeArchive(target, opened.archive, { path: "/", keepKinds: false, keepFolder: false, signal });
  const brought = join(place, name);
  const stats = await lstat(brought);
  if (!stats.isDirectory() && !stats.isFile()) throw buildFaults.SOURCE_MISSING(path);
  return brought;
}
