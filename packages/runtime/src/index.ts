export { type HostBind, placeBinds } from "./bind-places.ts";
export { type CgroupLayout, type CgroupMode, cgroupsOf, parseCgroupLayout } from "./cgroup/cgroup-layout.ts";
export { ContainerCgroup } from "./cgroup/container-cgroup.ts";
export { freeze, isFrozen, thaw } from "./cgroup/freezer.ts";
export { MigrationWarmer } from "./cgroup/migration-warmer.ts";
export { type BlockUsage, type CgroupUsage, readCgroupUsage } from "./cgroup/read-usage.ts";
export { type LiveLimits, writeLimits } from "./cgroup/write-limits.ts";
export type * from "./container-config.ts";
export { readHostFacts } from "./host-facts.ts";
export { deliverLog } from "./logs/deliver-log.ts";
export { findRemoteDriver, logDriverNames } from "./logs/drivers/drivers.ts";
export type { LogDestination, LogSubject } from "./logs/drivers/log-driver.ts";
export { LogCursor, type LogPosition } from "./logs/log-cursor.ts";
export { formatLogTime, type LogEntry } from "./logs/log-entry.ts";
export { type LogOptions, readLog } from "./logs/read-log.ts";
export { type Exit, readExitRecord } from "./monitor/exit-record.ts";
export { Launcher, type LauncherOptions } from "./monitor/launcher.ts";
export { type ExecOptions, Monitor, type Started, type TerminalSize } from "./monitor/monitor.ts";
export type { StartRequest } from "./monitor/start-request.ts";
export type { AttachOptions } from "./monitor/stream-connection.ts";
export { type MountInfo, parseMountInfo } from "./mount-info.ts";
export { resolveDevices } from "./resolve-devices.ts";
export { SeccompCompiler } from "./seccomp-compiler.ts";
export { type BindRequest, cleanPath, parseBind } from "./spec/bind.ts";
export { buildSpec } from "./spec/build-spec.ts";
export { checkConfig } from "./spec/check-config.ts";
export { checkLog, isLogReadable, logFileLimits } from "./spec/check-log.ts";
export { checkResources, withoutDiscarded } from "./spec/check-resources.ts";
export { defaultMaskedPaths, defaultReadonlyPaths } from "./spec/masked-paths.ts";
export { type ImageDefaults, mergeImageConfig } from "./spec/merge-image-config.ts";
export { shmOptions } from "./spec/mounts.ts";
export { type IpcMode, parseIpcMode } from "./spec/namespaces.ts";
export { swapIds } from "./spec/owners.ts";
export { buildExecProcess, type ExecRequest } from "./spec/process.ts";
export type {
  HostDevice,
  HostFacts,
  MappedDevice,
  ResolvedDevices,
  ResolvedMount,
  SpecInput,
} from "./spec/spec-input.ts";
export { type ResolvedUser, resolveUser } from "./spec/user.ts";
export { layerOwnersOf, ownerMapsOf, userMapOf } from "./spec/user-map.ts";
