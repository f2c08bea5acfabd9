import { defineFaults } from "@hawser/base";

/** Everything this package can find wrong. Where Docker's clients or users know a text, it is Docker's. */
export const runtimeFaults = defineFaults({
  // configuration
  NO_COMMAND: ["invalid-argument", () => "no command specified"],
  CAPABILITY_UNKNOWN: [
    "invalid-argument",
    (option: string, name: string) => `invalid ${option}: unknown capability: "${name}"`,
  ],
  SECURITY_OPT_INVALID: [
    "invalid-argument",
    (rule: 1 | 2, option: string) => `invalid --security-opt ${rule}: ${JSON.stringify(option)}`,
  ],
  SECCOMP_PROFILE_INVALID: [
    "invalid-argument",
    (reason: string) => `Decoding seccomp profile failed: ${reason}`,
  ],
  TARGET_INVALID: ["invalid-argument", (reason: string) => reason],
  VOLUME_SPEC_INVALID: [
    "invalid-argument",
    (text: string, reason?: string) =>
      `invalid volume specification: '${text}'${reason === undefined ? "" : `: ${reason}`}`,
  ],
  MOUNT_INVALID: [
    "invalid-argument",
    (type: string, reason: string) => `invalid mount config for type "${type}": ${reason}`,
  ],
  MOUNT_OPTIONS_FOREIGN: [
    "invalid-argument",
    (options: string, type: string) => `${options} must not be specified on mount type "${type}"`,
  ],
  VOLUME_NAME_INVALID: ["invalid-argument", (name: string, reason: string) => `create ${name}: ${reason}`],
  MOUNT_MODE_INVALID: ["invalid-argument", (mode: string) => `invalid mode: ${mode}`],
  MOUNT_DUPLICATE: ["invalid-argument", (target: string) => `Duplicate mount point: ${target}`],
  TMPFS_OPTION_INVALID: [
    "invalid-argument",
    (option: string) => `invalid tmpfs option [${JSON.stringify(option)}]`,
  ],
  NAMESPACE_MODE_INVALID: [
    "invalid-argument",
    (name: string, mode: string) => `invalid ${name} mode: ${mode}`,
  ],
  LOG_OPTION_INVALID: ["invalid-argument", (text: string) => text],
  OPTIONS_CONFLICT: ["invalid-argument", (text: string) => text],
  ENV_INVALID: ["invalid-argument", (entry: string) => `invalid environment variable: ${entry}`],
  RESOURCE_INVALID: ["invalid-argument", (text: string) => text],
  DEVICE_RULE_INVALID: ["invalid-argument", (rule: string) => `invalid device cgroup rule format: '${rule}'`],
  ULIMIT_INVALID: ["invalid-argument", (text: string) => text],
  SYSCTL_INVALID: ["invalid-argument", (text: string) => text],
  USER_UNKNOWN: [
    "invalid-argument",
    (name: string) => `unable to find user ${name}: no matching entries in passwd file`,
  ],
  GROUP_UNKNOWN: [
    "invalid-argument",
    (name: string) => `unable to find group ${name}: no matching entries in group file`,
  ],
  USER_OUT_OF_RANGE: ["invalid-argument", () => "uids and gids must be in range 0-2147483647"],
  WORKDIR_NOT_ABSOLUTE: [
    "invalid-argument",
    (path: string) => `the working directory '${path}' is invalid, it needs to be an absolute path`,
  ],
  // native programs and the OCI runtime
  RUNTIME_FAILED: ["internal", (text: string) => text],
  RUNTIME_REFUSED: ["invalid-argument", (text: string) => text],
  LAUNCHER_UNAVAILABLE: [
    "unavailable",
    (socket: string, reason: string) => `Cannot reach the launcher at ${socket}: ${reason}`,
  ],
  MONITOR_LOST: [
    "unavailable",
    (what: string) => `Cannot ${what}: the container's monitor closed the connection`,
  ],
  MONITOR_REFUSED: ["internal", (what: string, message: string) => `Cannot ${what}: ${message}`],
  NOT_RUNNING: ["conflict", (what: string) => `Cannot ${what}: the process is not running`],
  NO_TERMINAL: ["conflict", (what: string) => `Cannot ${what}: it has no terminal`],
  NO_SUCH_EXEC: ["not-found", (what: string) => `Cannot ${what}: no such exec`],
  FRAME_INVALID: ["data-loss", (reason: string) => `Cannot read a frame of the monitor protocol: ${reason}`],
  FRAME_TOO_LARGE: [
    "invalid-argument",
    (size: number) => `Cannot send a frame of ${size} bytes: at most 1048576 are allowed`,
  ],
  FRAME_FIELD_INVALID: [
    "invalid-argument",
    (key: string) => `Cannot send field ${JSON.stringify(key)}: names are a-z and -, values have no NUL`,
  ],
  FREEZER_MISSING: ["unavailable", () => "this host has no freezer for cgroups, or the container has ended"],
  FREEZER_SLOW: [
    "unavailable",
    (deadlineMs: number) => `its processes did not stand still within ${deadlineMs / 1000} seconds`,
  ],
});
