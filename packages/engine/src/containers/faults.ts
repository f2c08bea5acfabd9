import { defineFaults } from "@hawser/base";

/** Docker's own words wherever its clients show or match them. */
export const containerFaults = defineFaults({
  NO_SUCH_CONTAINER: ["not-found", (name: string) => `No such container: ${name}`],
  CONTAINER_ID_AMBIGUOUS: [
    "invalid-argument",
    (prefix: string) => `Multiple IDs found with provided prefix: ${prefix}`,
  ],
  CONTAINER_NAME_TAKEN: [
    "conflict",
    (name: string, id: string) =>
      `Conflict. The container name "/${name}" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
  ],
  CONTAINER_NAME_INVALID: [
    "invalid-argument",
    (name: string) => `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  ],
  IMAGE_REQUIRED: ["invalid-argument", () => "config cannot be empty in order to create a container"],
  CONTAINER_NOT_RUNNING: ["conflict", (id: string) => `container ${id} is not running`],
  EXEC_NOT_RUNNING_CONTAINER: ["conflict", (id: string) => `container ${id} is not running`],
  EXEC_PAUSED: [
    "conflict",
    (name: string) => `Container ${name} is paused, unpause the container before exec`,
  ],
  ATTACH_PAUSED: [
    "conflict",
    (id: string) => `container ${id} is paused, unpause the container before attach`,
  ],
  ATTACH_RESTARTING: [
    "conflict",
    (id: string) => `container ${id} is restarting, wait until the container is running`,
  ],
  START_PAUSED: ["conflict", () => "cannot start a paused container, try unpause instead"],
  CONTAINER_ALREADY_PAUSED: ["conflict", (id: string) => `Container ${id} is already paused`],
  CONTAINER_NOT_PAUSED: ["internal", (id: string) => `Container ${id} is not paused`],
  CANNOT_PAUSE: ["internal", (id: string, why: string) => `cannot pause container ${id}: ${why}`],
  UPDATE_CONFLICT: ["conflict", (id: string, why: string) => `Cannot update container ${id}: ${why}`],
  CANNOT_UPDATE: ["internal", (id: string, why: string) => `Cannot update container ${id}: ${why}`],
  TOP_RENAMES: ["internal", (key: string, value: string) => `specifying "${key}=${value}" is not allowed`],
  TOP_WITHOUT_PID: ["internal", () => "Couldn't find PID field in ps output"],
  PS_FAILED: ["internal", (why: string) => `ps: ${why}`],
  CONTAINER_RESTARTING: [
    "conflict",
    (id: string) => `Container ${id} is restarting, wait until the container is running`,
  ],
  NAME_EMPTY: ["invalid-argument", () => "Neither old nor new names may be empty"],
  RENAME_SAME: ["invalid-argument", () => "Renaming a container with the same name as its current name"],
  RENAME_INVALID: ["invalid-argument", (why: string) => `Error when allocating new name: ${why}`],
  RENAME_TAKEN: ["conflict", (why: string) => `Error when allocating new name: ${why}`],
  KILL_STOPPED: ["conflict", (id: string) => `container ${id} is not running`],
  CONTAINER_ALREADY_STARTED: ["not-modified", () => "container already started"],
  CONTAINER_ALREADY_STOPPED: ["not-modified", () => "container already stopped"],
  CONTAINER_RUNNING_REMOVE: [
    "conflict",
    (name: string) =>
      `cannot remove container "${name}": container is running: stop the container before removing or force remove`,
  ],
  CONTAINER_PAUSED_REMOVE: [
    "conflict",
    (name: string) => `cannot remove container "${name}": container is paused and must be unpaused first`,
  ],
  CONTAINER_RESTARTING_REMOVE: [
    "conflict",
    (name: string) =>
      `cannot remove container "${name}": container is restarting: stop the container before removing or force remove`,
  ],
  CONTAINER_BEING_REMOVED: ["conflict", (id: string) => `removal of container ${id} is already in progress`],
  SIGNAL_UNSUPPORTED: [
    "invalid-argument",
    (signal: string) => `the linux daemon does not support signal ${signal}`,
  ],
  WAIT_CONDITION_INVALID: ["invalid-argument", (condition: string) => `invalid condition: "${condition}"`],
  NO_SUCH_EXEC: ["not-found", (id: string) => `No such exec instance: ${id}`],
  LINK_UNKNOWN: [
    "invalid-argument",
    (name: string) => `could not get container for ${name}: No such container: ${name}`,
  ],
  EXEC_NO_COMMAND: ["invalid-argument", () => "No exec command specified"],
  EXEC_ALREADY_RUNNING: ["conflict", (id: string) => `exec command ${id} is already running`],
  EXEC_ALREADY_RUN: ["conflict", (id: string) => `exec command ${id} has already run`],
  EXEC_NOT_RUNNING: ["conflict", (id: string) => `exec ${id} is not running`],
  EXEC_CONTAINER_STOPPED: ["conflict", (id: string) => `container ${id} has been stopped`],
  TTY_RESIZE_NOT_RUNNING: ["conflict", (id: string) => `container ${id} is not running`],
  LOG_DRIVER_FAILED: [
    "internal",
    (why: string) => `failed to create task for container: failed to initialize logging driver: ${why}`,
  ],
  LOG_NOT_KEPT: ["not-implemented", () => "configured logging driver does not support reading"],
  RUNTIME_UNKNOWN: ["invalid-argument", (name: string) => `unknown or invalid runtime name: ${name}`],
  DEVICE_DRIVER_UNKNOWN: [
    "internal",
    (driver: string, capabilities: string) =>
      `could not select device driver ${JSON.stringify(driver)} with capabilities: ${capabilities}`,
  ],
  NETWORK_UNKNOWN: ["invalid-argument", (name: string) => `network ${name} not found`],
  NETWORK_CONTAINER_SELF: ["invalid-argument", () => "cannot join own network namespace"],
  JOIN_UNKNOWN: ["invalid-argument", (nameOrId: string) => `No such container: ${nameOrId}`],
  JOIN_NOT_RUNNING: ["conflict", (id: string) => `cannot join namespace of a non running container: ${id}`],
  IPC_NOT_SHAREABLE: [
    "conflict",
    (id: string) =>
      `can't join IPC of container ${id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
  ],
  BIND_SOURCE_MISSING: [
    "invalid-argument",
    (path: string) => `invalid mount config for type "bind": bind source path does not exist: ${path}`,
  ],
  MOUNTED_IMAGE_UNKNOWN: ["invalid-argument", (reason: string) => reason],
  FILE_NOT_FOUND: [
    "not-found",
    (path: string, name: string) => `Could not find the file ${path} in container ${name}`,
  ],
  ROOTFS_FULL: [
    "resource-exhausted",
    (words: string) =>
      `no space left on device for the container's files: ${words.replace(/: no such file or directory: unknown$/, "")}`,
  ],
  ROOTFS_READ_ONLY: ["permission-denied", () => "container rootfs is marked read-only"],
  VOLUME_READ_ONLY: ["permission-denied", () => "mounted volume is marked read-only"],
  START_INTERRUPTED: ["internal", () => "the container was being started when the engine ended"],
});
