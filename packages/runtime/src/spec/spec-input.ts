import type { UserMap } from "@hawser/oci";
import type { CgroupLayout } from "../cgroup/cgroup-layout.ts";
import type { ContainerConfig, HostConfig } from "../container-config.ts";
import type { ResolvedUser } from "./user.ts";

/** What must be known of this host to make a container. Does not change while the engine runs: `readHostFacts`. */
export interface HostFacts {
  readonly cgroups: CgroupLayout;
  /** As `process.arch`. */
  readonly architecture: string;
  /** As `os.release()`. */
  readonly kernelRelease: string;
  /** Processors and memory nodes in use, as lists: `0-3`. */
  readonly onlineCpus: string;
  readonly onlineMemoryNodes: string;
  /** What this host can give at all: the bounding set of the engine. */
  readonly capabilities: readonly string[];
  /** AppArmor profile that containers get, when the kernel has one loaded that fits. */
  readonly appArmorProfile?: string;
  /** The kernel has AppArmor switched on. */
  readonly appArmor: boolean;
  /** Whom containers' users are on the host; absent: themselves. */
  readonly userMap?: UserMap;
  /** Limits of swap work. */
  readonly swapAccounting: boolean;
  /** Shares of block devices can be given: by all of them, and by one. */
  readonly blockWeight: boolean;
  readonly blockDeviceWeight: boolean;
}

/** A device node of the host. */
export interface HostDevice {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A device that the container gets: `path` is where it is inside. */
export interface MappedDevice extends HostDevice {
  /** Some of `rwm`. */
  readonly access: string;
}

/** Devices that a configuration names, looked up on this host: `resolveDevices`. */
export interface ResolvedDevices {
  readonly mapped: readonly MappedDevice[];
  /** Numbers of block devices that limits name, by path. */
  readonly numbers: ReadonlyMap<string, { readonly major: number; readonly minor: number }>;
}

/** Each a text as `/proc/<pid>/uid_map` wants it: owner on the disk, owner that is seen, how many. */
export interface OwnerMaps {
  readonly uids: string;
  readonly gids: string;
}

/** A folder or file of the host to be seen at `target`. */
export interface ResolvedMount {
  /** Absolute path that exists: on the host, or after `placeBinds` in the run directory. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Mounts below the source come along. */
  readonly recursive: boolean;
  readonly propagation: string;
  /** Of what is read-only: mounts below the source stay as they are. */
  readonly writableBelow?: boolean;
  /** A folder or file in `source` to be seen in its place. Links on the way stay inside. */
  readonly subpath?: string;
  /** Folders, topmost first, to be seen as one tree in the place of `source`; without `writable` nobody can write to it. */
  readonly layers?: readonly string[];
  /** Overlay's folders that what is written to the tree goes to. */
  readonly writable?: { readonly upper: string; readonly work: string };
  /** Options of the source's mount on the host, as `placeBinds` finds them: `nosuid` and the like. */
  readonly inherited?: readonly string[];
  /** Show files as others'. */
  readonly owners?: OwnerMaps;
}

/** Everything that `buildSpec` turns into a `config.json`. It reads nothing itself. */
export interface SpecInput {
  /** The image's defaults are merged in (`mergeImageConfig`); `hostname` is set. */
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly rootfs: string;
  /** `cgroupsOf(...).path` */
  readonly cgroupsPath: string;
  readonly user: ResolvedUser;
  readonly host: HostFacts;
  /**
   * Namespaces that exist. `network` for every mode but `host` (without it the runtime makes an empty one); `pid` and
   * `ipc` for the modes `container:<id>`.
   */
  readonly namespacePaths: { readonly network?: string; readonly pid?: string; readonly ipc?: string };
  /** Bind and volume mounts; tmpfs mounts come from the host configuration. */
  readonly mounts: readonly ResolvedMount[];
  /** Files of the host bound over the image's. */
  readonly files: { readonly hosts?: string; readonly hostname?: string; readonly resolvConf?: string };
  /**
   * What is /dev/shm for IPC modes `shareable` and `container:<id>`, as the monitor's mount namespace has it
   * (`StartRequest.shm`); absent: a tmpfs of its own.
   */
  readonly shmPath?: string;
  /** The init program on this host; used when the host configuration asks for one. */
  readonly initPath: string;
  readonly devices: ResolvedDevices;
}
