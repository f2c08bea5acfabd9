/**
 * What a container is asked to be, in Hawser's own words. `ContainerConfig` is what travels with an image,
 * `HostConfig` what belongs to this host; the split and the meaning of each field are Docker's, so that nothing is lost
 * between the wire and here. Sizes in bytes, times in the unit of the name. Absent means "not asked for".
 */
export interface ContainerConfig {
  readonly hostname: string;
  readonly domainname: string;
  /** `user`, `uid`, `user:group`, `uid:gid`; empty: root. */
  readonly user: string;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly cmd?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly image: string;
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Paths of anonymous volumes. */
  readonly volumes: readonly string[];
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[];
  /** Signal name or number; empty: SIGTERM. */
  readonly stopSignal: string;
  readonly stopTimeoutSeconds?: number;
  readonly healthcheck?: Healthcheck;
  readonly shell?: readonly string[];
  readonly onBuild?: readonly string[];
  /** Of Windows alone; kept for who asks. */
  readonly argsEscaped?: boolean;
  readonly macAddress?: string;
  readonly networkDisabled?: boolean;
}

export interface Healthcheck {
  readonly test: readonly string[];
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly startPeriodNs: number;
  readonly startIntervalNs: number;
  readonly retries: number;
}

export interface HostConfig extends Resources {
  /** Which of its lists and maps nobody gave: they are shown as null, not as empty. Absent: all were given. */
  readonly absent?: readonly (keyof HostConfig)[];
  /** `source:target[:options]`, source a path or a volume name. */
  readonly binds: readonly string[];
  readonly mounts: readonly MountRequest[];
  /** target → options. */
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly volumesFrom: readonly string[];
  readonly volumeDriver: string;
  readonly containerIdFile: string;
  readonly log: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  /** `default`, `bridge`, `none`, `host`, `container:<id>`, or a network's name. */
  readonly networkMode: string;
  readonly portBindings: Readonly<Record<string, readonly PortBinding[]>>;
  readonly publishAllPorts: boolean;
  readonly restartPolicy: {
    readonly name: "no" | "always" | "unless-stopped" | "on-failure";
    readonly maximumRetryCount: number;
  };
  readonly autoRemove: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** ``, `host`, `private`. */
  readonly cgroupnsMode: string;
  readonly cgroupParent: string;
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly extraHosts: readonly string[];
  readonly groupAdd: readonly string[];
  /** ``, `private`, `shareable`, `host`, `container:<id>`, `none`. */
  readonly ipcMode: string;
  readonly links: readonly string[];
  readonly oomScoreAdj: number;
  /** ``, `host`, `container:<id>`. */
  readonly pidMode: string;
  readonly privileged: boolean;
  readonly readonlyRootfs: boolean;
  /** `seccomp=…`, `apparmor=…`, `no-new-privileges`, `label=…`, `systempaths=unconfined`, `writable-cgroups`. */
  readonly securityOpt: readonly string[];
  readonly storageOpt: Readonly<Record<string, string>>;
  readonly utsMode: string;
  readonly usernsMode: string;
  readonly shmSizeBytes: number;
  readonly sysctls: Readonly<Record<string, string>>;
  /** Name of a configured OCI runtime; empty: the default one. */
  readonly runtime: string;
  /** height, width */
  readonly consoleSize: readonly [number, number];
  /** Absent: Docker's default list; empty: nothing masked. */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly init?: boolean;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Limits; 0 or absent: none. */
export interface Resources {
  readonly memoryBytes: number;
  readonly memoryReservationBytes: number;
  /** Memory and swap together; -1: unlimited swap. */
  readonly memorySwapBytes: number;
  readonly memorySwappiness?: number;
  readonly nanoCpus: number;
  readonly cpuShares: number;
  readonly cpuPeriodUs: number;
  readonly cpuQuotaUs: number;
  readonly cpuRealtimePeriodUs: number;
  readonly cpuRealtimeRuntimeUs: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly pidsLimit?: number;
  readonly blkioWeight: number;
  readonly blkioWeightDevice: readonly { readonly path: string; readonly weight: number }[];
  readonly blkioDeviceReadBps: readonly ThrottleDevice[];
  readonly blkioDeviceWriteBps: readonly ThrottleDevice[];
  readonly blkioDeviceReadIops: readonly ThrottleDevice[];
  readonly blkioDeviceWriteIops: readonly ThrottleDevice[];
  readonly devices: readonly DeviceMapping[];
  readonly deviceCgroupRules: readonly string[];
  readonly deviceRequests: readonly DeviceRequest[];
  readonly oomKillDisable?: boolean;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
}

/** What a container wants of devices that their drivers inject (GPUs). */
export interface DeviceRequest {
  readonly driver: string;
  readonly count: number;
  readonly deviceIds: readonly string[];
  readonly capabilities: readonly (readonly string[])[];
  readonly options: Readonly<Record<string, string>>;
}

export interface ThrottleDevice {
  readonly path: string;
  readonly rate: number;
}

export interface DeviceMapping {
  readonly pathOnHost: string;
  readonly pathInContainer: string;
  /** Some of `rwm`. */
  readonly cgroupPermissions: string;
}

export interface PortBinding {
  readonly hostIp: string;
  readonly hostPort: string;
}

export interface MountRequest {
  readonly type: "bind" | "volume" | "tmpfs" | "image" | "cluster" | "npipe";
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly consistency?: string;
  readonly bind?: {
    readonly propagation?: string;
    readonly nonRecursive?: boolean;
    readonly createMountpoint?: boolean;
    readonly readOnlyNonRecursive?: boolean;
    readonly readOnlyForceRecursive?: boolean;
    /** What belongs to the source's owner is seen as the container's user's, and the other way round. */
    readonly ownerBecomesUser?: boolean;
  };
  readonly volume?: {
    readonly noCopy?: boolean;
    readonly labels?: Readonly<Record<string, string>>;
    readonly subpath?: string;
    readonly driver?: { readonly name: string; readonly options: Readonly<Record<string, string>> };
  };
  readonly tmpfs?: {
    readonly sizeBytes?: number;
    readonly mode?: number;
    readonly options?: readonly (readonly string[])[];
  };
  readonly image?: { readonly subpath?: string };
}
