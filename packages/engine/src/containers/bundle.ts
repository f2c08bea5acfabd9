import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatRuntimeSpec, type IdRange, outsideOf, type UserMap } from "@hawser/oci";
import {
  buildSpec,
  cgroupsOf,
  type HostBind,
  type HostConfig,
  ownerMapsOf,
  parseIpcMode,
  placeBinds,
  resolveDevices,
  resolveUser,
  type StartRequest,
  shmOptions,
  swapIds,
  userMapOf,
} from "@hawser/runtime";
import type { OverlayMount } from "@hawser/store";
import type { NetworkPlace } from "../networks/container-networks.ts";
import { writeNetworkFiles } from "../networks/network-files.ts";
import { readAccounts } from "./accounts.ts";
import type { Collaborators } from "./collaborators.ts";
import { type ContainerMount, type ContainerRecord, hasProcess } from "./container-record.ts";
import { containerFaults } from "./faults.ts";
import { runDirOf } from "./host.ts";
import { checkSources } from "./mounts.ts";
import { mountsOf, withFolders, withLayers } from "./plan-mounts.ts";

export interface Bundle {
  readonly rootfs: string;
  /** Folders of the container's cgroups, for the monitor to watch and remove. */
  readonly cgroups: readonly string[];
  /** What the monitor brings from the host. */
  readonly binds: readonly HostBind[];
  /** What it mounts at /dev/shm, where others may share that. */
  readonly shm?: NonNullable<StartRequest["shm"]>;
}

/**
 * Make a container's run directory: the OCI bundle's `config.json` and the files of the network. All of it is on tmpfs
 * and made anew for each start; written at once, since a copy in memory costs less than the way to a thread and back.
 *
 * @throws {Fault} `invalid-argument` for what only shows at the start: unknown users, missing sources, dead partners.
 */
export async function writeBundle(
  collaborators: Collaborators,
  run: {
    readonly record: ContainerRecord;
    readonly place: NetworkPlace;
    readonly overlay: OverlayMount;
    /** Of volumes that are mounted for it. */
    readonly folders: ReadonlyMap<string, string>;
  },
): Promise<Bundle> {
  const { host, index, places, seccomp } = collaborators;
  const { record, place, overlay, folders } = run;
  const { config, hostConfig } = record;
  const dir = runDirOf(host, record.id);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const rootfs = join(dir, "rootfs");
  const cgroups = cgroupsOf(host.cgroups, {
    parent: hostConfig.cgroupParent || host.cgroupParent,
    id: record.id,
  });
  const filesDir =
    place.joinedId === undefined ? dir : runDirOf(host, collaborators.index.resolve(place.joinedId).id);
  const files = {
    hosts: join(filesDir, "hosts"),
    hostname: join(dir, "hostname"),
    resolvConf: join(filesDir, "resolv.conf"),
  };
  const mounts = withFolders(mountsOf(record), folders);
  const [, devices] = await Promise.all([
    checkSources(mounts, { hostConfig, createMissing: true }),
    resolveDevices(hostConfig),
  ]);
  if (place.joinedId === undefined) {
    writeNetworkFiles(record, {
      ...place,
      files,
      index,
      hostGateway: places.hostGateway,
      resolver: host.defaults.resolver,
    });
  }
  writeFileSync(files.hostname, `${config.hostname}\n`);
  const user = resolveUser(config.user, { ...readAccounts(overlay), groupAdd: hostConfig.groupAdd });
  const userMap = userMapOf(hostConfig, host.facts);
  const shm = sharedMemory(collaborators, { hostConfig, userMap });
  if (userMap !== undefined) openToRoot(userMap, { dir, files: Object.values(files) });
  const placed = await placeBinds(
    mounts.map((mount) => completeMount(collaborators, mount, { user, userMap, folders })),
    dir,
  );
  const spec = buildSpec({
    config,
    hostConfig,
    rootfs,
    cgroupsPath: cgroups.path,
    user,
    host: host.facts,
    namespacePaths: {
      ...(place.namespaceFd !== undefined && { network: join(dir, "netns") }),
      ...joinedNamespace(collaborators, { kind: "pid", mode: hostConfig.pidMode }),
      ...joinedNamespace(collaborators, { kind: "ipc", mode: hostConfig.ipcMode }),
    },
    ...(shm && { shmPath: join(dir, "shm") }),
    mounts: placed.mounts,
    files,
    initPath: host.initPath,
    devices,
  });
  const compiled = await seccomp.annotate(spec);
  writeFileSync(join(dir, "config.json"), formatRuntimeSpec(compiled), { mode: 0o600 });
  return { rootfs, cgroups: cgroups.folders, binds: placed.binds, ...(shm && { shm }) };
}

/** What of a mount is only known at the start: the folders of an image's layers, whom its files are to belong to. */
function completeMount(
  { snapshots }: Collaborators,
  mount: ContainerMount,
  of: {
    readonly user: { readonly uid: number; readonly gid: number };
    readonly userMap: UserMap | undefined;
    readonly folders: ReadonlyMap<string, string>;
  },
): ContainerMount {
  const { user, userMap, folders } = of;
  if (mount.image !== undefined) return withLayers(mount, snapshots);
  if (mount.ownerBecomesUser === true) {
    const { uid, gid } = statSync(mount.source);
    const seen = {
      uid: userMap === undefined ? user.uid : (outsideOf(userMap.uids, user.uid) ?? uid),
      gid: userMap === undefined ? user.gid : (outsideOf(userMap.gids, user.gid) ?? gid),
    };
    return { ...mount, owners: { uids: swapIds(uid, seen.uid), gids: swapIds(gid, seen.gid) } };
  }
  // A volume of ours belongs to containers: its files are on the disk as if nobody was mapped, as those of roots are.
  if (userMap === undefined || mount.volume === undefined || folders.has(mount.volume.name)) return mount;
  return { ...mount, owners: ownerMapsOf(userMap) };
}

/** Let a container's root, who is nobody in particular on the host, reach what is bound from its run directory. */
function openToRoot(
  userMap: UserMap,
  { dir, files }: { readonly dir: string; readonly files: readonly string[] },
): void {
  const { uid, gid } = rootOf(userMap);
  chownSync(dir, 0, gid);
  chmodSync(dir, 0o710);
  for (const file of files) chownSync(file, uid, gid);
}

/** `container:<id>`: the namespace of that container's first process. */
function joinedNamespace(
  collaborators: Collaborators,
  join: { readonly kind: "pid" | "ipc"; readonly mode: string },
): { readonly pid?: string; readonly ipc?: string } {
  const pid = partnerPid(collaborators, join.mode);
  return pid === undefined ? {} : { [join.kind]: `/proc/${pid}/ns/${join.kind}` };
}

/**
 * The /dev/shm of those who share an IPC namespace: of its own the one who offers it, of its partner's the one who joins. Of a
 * container that keeps its namespace to itself the OCI runtime makes it.
 */
function sharedMemory(
  { index, host }: Collaborators,
  of: { readonly hostConfig: HostConfig; readonly userMap: UserMap | undefined },
): Bundle["shm"] {
  const mode = parseIpcMode(of.hostConfig.ipcMode);
  if (mode.kind === "shareable") {
    const { uid, gid } = rootOf(of.userMap);
    return { options: [...shmOptions(of.hostConfig), `uid=${uid}`, `gid=${gid}`].join(",") };
  }
  if (mode.kind !== "container") return undefined;
  const { id, record, monitor } = index.resolve(mode.container);
  if (monitor === undefined) throw containerFaults.JOIN_NOT_RUNNING(id);
  const { kind } = parseIpcMode(record.hostConfig.ipcMode);
  if (kind !== "shareable" && kind !== "container") throw containerFaults.IPC_NOT_SHAREABLE(id);
  return { from: runDirOf(host, id), monitorPid: monitor.pid };
}

/** Who the container's root is on the host. */
function rootOf(userMap: UserMap | undefined): { readonly uid: number; readonly gid: number } {
  const idOf = (ranges: readonly IdRange[] = []) => outsideOf(ranges, 0) ?? 0;
  return { uid: idOf(userMap?.uids), gid: idOf(userMap?.gids) };
}

function partnerPid({ index }: Collaborators, mode: string): number | undefined {
  const [, nameOrId] = /^container:(.+)$/.exec(mode) ?? [];
  if (nameOrId === undefined) return undefined;
  const { id, record } = index.resolve(nameOrId);
  if (!hasProcess(record)) throw containerFaults.JOIN_NOT_RUNNING(id);
  return record.state.pid;
}
