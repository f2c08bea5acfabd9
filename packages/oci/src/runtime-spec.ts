/**
 * The OCI runtime specification's `config.json`, Linux only: what Hawser writes and what it reads back.
 * Names and shapes are the specification's own, https://github.com/opencontainers/runtime-spec/blob/v1.0.2/config.md.
 */
export interface RuntimeSpec {
  readonly ociVersion: string;
  readonly process: RuntimeProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname?: string;
  readonly mounts: readonly RuntimeMount[];
  readonly linux: RuntimeLinux;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** `process` of the specification; also the whole of the file that `exec --process` reads. */
export interface RuntimeProcess {
  readonly terminal: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: RuntimeUser;
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities?: RuntimeCapabilities;
  readonly rlimits?: readonly RuntimeRlimit[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly oomScoreAdj?: number;
}

export interface RuntimeUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids?: readonly number[];
}

/** Names as `CAP_CHOWN`. */
export interface RuntimeCapabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly inheritable: readonly string[];
  readonly permitted: readonly string[];
  readonly ambient: readonly string[];
}

export interface RuntimeRlimit {
  /** `RLIMIT_NOFILE`. */
  readonly type: string;
  readonly soft: number | bigint;
  readonly hard: number | bigint;
}

export interface RuntimeMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options?: readonly string[];
}

export interface RuntimeLinux {
  readonly namespaces: readonly RuntimeNamespace[];
  /** Of a new user namespace. */
  readonly uidMappings?: readonly RuntimeIdMapping[];
  readonly gidMappings?: readonly RuntimeIdMapping[];
  readonly cgroupsPath?: string;
  readonly resources?: RuntimeResources;
  readonly devices?: readonly RuntimeDevice[];
  readonly seccomp?: RuntimeSeccomp;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly rootfsPropagation?:
    | "shared"
    | "slave"
    | "private"
    | "unbindable"
    | "rshared"
    | "rslave"
    | "rprivate";
  readonly mountLabel?: string;
}

export type RuntimeNamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup";

export interface RuntimeIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface RuntimeNamespace {
  readonly type: RuntimeNamespaceType;
  /** Absent: a new one. */
  readonly path?: string;
}

export interface RuntimeDevice {
  readonly type: "c" | "b" | "u" | "p";
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface RuntimeDeviceRule {
  readonly allow: boolean;
  readonly type?: "a" | "c" | "b";
  /** Absent: all. */
  readonly major?: number;
  readonly minor?: number;
  /** Some of `rwm`. */
  readonly access?: string;
}

export interface RuntimeResources {
  readonly devices?: readonly RuntimeDeviceRule[];
  readonly memory?: {
    readonly limit?: number;
    readonly reservation?: number;
    readonly swap?: number;
    readonly swappiness?: number;
    readonly disableOOMKiller?: boolean;
  };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    readonly realtimeRuntime?: number;
    readonly realtimePeriod?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  readonly pids?: { readonly limit: number };
  readonly blockIO?: {
    readonly weight?: number;
    readonly weightDevice?: readonly RuntimeBlockWeight[];
    readonly throttleReadBpsDevice?: readonly RuntimeBlockThrottle[];
    readonly throttleWriteBpsDevice?: readonly RuntimeBlockThrottle[];
    readonly throttleReadIOPSDevice?: readonly RuntimeBlockThrottle[];
    readonly throttleWriteIOPSDevice?: readonly RuntimeBlockThrottle[];
  };
}

export interface RuntimeBlockWeight {
  readonly major: number;
  readonly minor: number;
  readonly weight: number;
}

export interface RuntimeBlockThrottle {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

export interface RuntimeSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls?: readonly RuntimeSyscallRule[];
}

export interface RuntimeSyscallRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly RuntimeSyscallArgument[];
}

export interface RuntimeSyscallArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

/** The JSON text of a `config.json` or of a process file. Exact for 64-bit numbers, which `JSON.stringify` is not. */
export function formatRuntimeSpec(value: RuntimeSpec | RuntimeProcess): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === "bigint" ? rawJson(member.toString()) : member,
  );
}

// ES2026's JSON.rawJSON, which Node 24 has and TypeScript's library does not name yet.
const { rawJSON: rawJson } = JSON as typeof JSON & { rawJSON(this: void, text: string): unknown };
