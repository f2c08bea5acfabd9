import type { Socket } from "node:net";
import { posix } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { Fault } from "@hawser/base";
import type { ExecOp } from "@hawser/build";
import type { ChainId } from "@hawser/oci";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import type { WrittenFolder } from "@hawser/store";
import type { Collaborators } from "../containers/collaborators.ts";
import type { Container } from "../containers/container.ts";
import { type ContainerId, type ContainerMount, createdState } from "../containers/container-record.ts";
import { enginesOwnFiles } from "../containers/files-root.ts";
import { withDefaults } from "../containers/host-defaults.ts";
import { createContainerId } from "../containers/names.ts";
import { mountSnapshotOf } from "../containers/plan-mounts.ts";
import { prepareFolders } from "../containers/prepare-folders.ts";
import { removeContainer } from "../containers/remove.ts";
import { waitForContainer } from "../containers/wait.ts";
import { planAttachments } from "../networks/plan-attachments.ts";
import type { BuildState } from "./build-state.ts";
import type { CacheMounts } from "./cache-mounts.ts";
import { buildFaults } from "./faults.ts";
import { mountStubs } from "./mount-stubs.ts";
import type { BuildFiles } from "./op-scope.ts";
import { prepareMounts } from "./prepare-mounts.ts";
import { outputOf, startAttached } from "./process-streams.ts";

/** Marks containers of builds: what an engine that died left of them is removed by the next. */
export const buildMark = "io.hawser.build";

export interface ProcessWork {
  /** What nobody asks otherwise of. */
  readonly defaults: { readonly config: ContainerConfig; readonly hostConfig: HostConfig };
  /** Limits of the build. */
  readonly limits: Partial<HostConfig>;
  readonly caches: CacheMounts;
  /** Where texts are put for this run. */
  readonly runDir: string;
  readonly files: Pick<BuildFiles, "secret" | "agent">;
  readonly inputs: readonly (BuildState | undefined)[];
  readonly signal: AbortSignal;
  readonly output: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  readonly onContainer: (id: string) => void;
}

/** The layer that a process wrote to a mount of that number; -1: to its root. Nothing in it is younger than `latestNs`. */
export type WrittenLayer = (mount: number, latestNs: bigint) => WrittenFolder;

/**
 * `RUN`: run a process in a container on top of `parent`, give `use` what it wrote, and remove the container.
 *
 * @throws {Fault} `invalid-argument` when it ends with anything but 0; as a start of a container
 */
export async function runProcess<T>(
  collaborators: Collaborators,
  request: { readonly op: ExecOp; readonly parent: ChainId | undefined; readonly work: ProcessWork },
  use: (written: WrittenLayer) => Promise<T>,
): Promise<T> {
  const { op, parent, work } = request;
  const { snapshots } = collaborators;
  await using prepared = new AsyncDisposableStack();
  const id = createContainerId(collaborators.host.randomBytes);
  const { mounts, env } = await prepareMounts(collaborators, op, { ...work, prepared, id });
  const tmpfs = op.mounts.filter((mount) => mount.kind === "tmpfs");
  const places = [...mounts, ...tmpfs].map(({ target }) => target);
  const lower = parent === undefined ? [] : snapshots.lowerFolders(parent);
  const stubs = await mountStubs(places, { lower, signal: work.signal });
  const container = await createBuildContainer(collaborators, { id, op, parent, mounts, work });
  container.secretEnv = env;
  try {
    work.onContainer(container.id);
    const stop = () => {
      removeContainer(collaborators, container, { force: true }).catch(() => {}); // the end removes it again
    };
    work.signal.addEventListener("abort", stop, { once: true });
    try {
      const streams = await startAttached(collaborators, container, attachOptions).catch((error: unknown) => {
        throw emulatorMissing(error, op) ?? error;
      });
      const exit = waitForContainer(container, "not-running");
      let lacksEmulator = false;
      for await (const { stream, text } of textsOf(streams)) {
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
    return await use((number, latestNs) => {
      const mount = op.mounts[number];
      const place = mount?.kind === "bind" ? mount : { target: "/", source: "/" };
      const { upper } = snapshots.get(number < 0 ? id : mountSnapshotOf(id, number));
      // Folders that are there for other mounts alone.
      const leaveOut = places.flatMap((target) => {
        const below = posix.relative(place.target, target);
        return below === "" || below.startsWith("..") ? [] : [posix.join(place.source, below).slice(1)];
      });
      const own = number < 0 ? [...enginesOwnFiles, ...stubs] : [];
      return { path: upper, leaveOut: [...own, ...leaveOut], latestNs };
    });
  } finally {
    if (collaborators.index.find(container.id) === container) {
      await removeContainer(collaborators, container, { force: true });
    }
  }
}

const attachOptions = { stdin: false, stdout: true, stderr: true, format: "frames" } as const;

/** What a process says, in whole characters. */
async function* textsOf(streams: Socket) {
  const decoders = { stdout: new StringDecoder(), stderr: new StringDecoder() };
  for await (const { stream, bytes } of outputOf(streams, { tty: false })) {
    const text = decoders[stream].write(bytes);
    if (text !== "") yield { stream, text };
  }
  for (const stream of ["stdout", "stderr"] as const) {
    const text = decoders[stream].end();
    if (text !== "") yield { stream, text };
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
    /** Somebody talks to it while it runs. */
    readonly streams?: { readonly tty: boolean };
  },
): Promise<Container> {
  const { index, networks, host } = collaborators;
  const { id, op, parent, mounts, work, streams } = request;
  const { defaults, limits } = work;
  const networkMode = op.network === "default" ? defaults.hostConfig.networkMode : op.network;
  const config: ContainerConfig = {
    ...defaults.config,
    hostname: op.hostname ?? "buildkitsandbox",
    image: parent ?? "scratch",
    // Of two by one name the last counts: BuildKit's proxies overrule an image's own. It tells no process its host's name.
    env: ["HOSTNAME", ...op.env, ...op.hiddenEnv],
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
    log: { driver: "none", options: {} },
    tmpfs: Object.fromEntries(tmpfs),
    annotations: { [buildMark]: "" },
  };
  await using folders = await prepareFolders(collaborators, id, [{ key: id, parent }]);
  const container = index.add({
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
  container.isVolatile = true;
  folders.move();
  return container;
}
