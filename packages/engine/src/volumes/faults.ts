import { defineFaults } from "@hawser/base";

/** Docker's own words wherever its clients show or match them. */
export const volumeFaults = defineFaults({
  NO_SUCH_VOLUME: ["not-found", (name: string) => `get ${name}: no such volume`],
  VOLUME_IN_USE: [
    "conflict",
    (name: string, containers: string) => `remove ${name}: volume is in use - [${containers}]`,
  ],
  VOLUME_NAME_SHORT: [
    "invalid-argument",
    (name: string) =>
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
  ],
  VOLUME_NAME_INVALID: [
    "invalid-argument",
    (name: string) =>
      `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  ],
  VOLUME_DRIVER_UNKNOWN: [
    "not-found",
    (driver: string) =>
      `error looking up volume plugin ${driver}: plugin ${JSON.stringify(driver)} not found`,
  ],
  VOLUME_DRIVER_CONFLICT: [
    "conflict",
    (name: string, driver: string) =>
      `create ${name}: driver '${driver}' already has volume '${name}': volume name must be unique`,
  ],
  VOLUME_CREATE_FAILED: ["internal", (name: string, reason: string) => `create ${name}: ${reason}`],
  VOLUME_CREATE_UNKNOWN_DRIVER: ["not-found", (name: string, reason: string) => `create ${name}: ${reason}`],
  VOLUME_REMOVE_FAILED: ["internal", (name: string, reason: string) => `remove ${name}: ${reason}`],
  PLUGIN_FAILED: ["internal", (reason: string) => reason],
  PLUGIN_ANSWER: [
    "data-loss",
    (plugin: string, what: string) => `Cannot use volume plugin ${plugin}: it has answered with ${what}`,
  ],
  PLUGIN_UNREACHABLE: [
    "unavailable",
    (plugin: string, reason: string) => `Cannot reach volume plugin ${plugin}: ${reason}`,
  ],
  VOLUME_OPTION_INVALID: [
    "invalid-argument",
    (name: string, option: string) => `create ${name}: invalid option: ${JSON.stringify(option)}`,
  ],
  VOLUME_OPTION_MISSING: [
    "invalid-argument",
    (name: string, option: string) => `create ${name}: missing required option: ${JSON.stringify(option)}`,
  ],
  VOLUME_EXISTS: [
    "conflict",
    (name: string) => `create ${name}: there is a volume of that name, a new one was wanted`,
  ],
  VOLUME_NOT_EMPTY: [
    "conflict",
    (name: string) => `Cannot import into volume ${name}: it has files, an empty one was wanted`,
  ],
  VOLUME_NOT_A_FOLDER: [
    "invalid-argument",
    (name: string) => `create ${name}: only a volume that mounts nothing can be made with content`,
  ],
  VOLUME_CIFS_PORT: [
    "invalid-argument",
    (name: string) => `create ${name}: port not allowed in CIFS device URL, include 'port' in 'o='`,
  ],
  VOLUME_SIZE_INVALID: [
    "invalid-argument",
    (name: string, size: string) => `create ${name}: invalid size: '${size}'`,
  ],
  VOLUME_QUOTA_MISSING: [
    "invalid-argument",
    (name: string) => `create ${name}: quota size requested but no quota support`,
  ],
  VOLUME_MOUNT_FAILED: [
    "internal",
    (place: string, reason: string) => `error while mounting volume '${place}': ${reason}`,
  ],
  FILTER_VALUE: ["invalid-argument", (name: string, value: string) => `invalid filter '${name}=[${value}]'`],
  VOLUMES_FROM_MODE: ["invalid-argument", (mode: string) => `invalid mode: ${mode}`],
  VOLUMES_FROM_EMPTY: ["invalid-argument", () => "volumes-from specification cannot be an empty string"],
});
