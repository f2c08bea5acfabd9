export type { ContainerStats, CpuStats } from "./container-stats.ts";
export type {
  ContainerConfig,
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerHealth,
  ContainerInspect,
  ContainerPort,
  ContainerState,
  ContainerStatus,
  ContainerSummary,
  ContainerTopResponse,
  ContainerWaitResponse,
  HealthcheckConfig,
  MountPoint,
  NameSet,
  NetworkSettings,
} from "./containers.ts";
export type { BuildCacheRecord, BuildPruneResponse, DiskUsageResponse } from "./disk-usage.ts";
export type { EventActor, EventMessage } from "./events.ts";
export type { ExecCreateRequest, ExecCreateResponse, ExecInspect, ExecStartRequest } from "./exec.ts";
export { type Filters, formatFilters, matchesLabels, parseFilters } from "./filters.ts";
export type {
  DeviceMapping,
  DeviceRequest,
  HostConfig,
  LogConfig,
  Mount,
  PortBinding,
  PortMap,
  Resources,
  RestartPolicy,
  ThrottleDevice,
  Ulimit,
} from "./host-config.ts";
export type {
  ImageConfig,
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImageSearchItem,
  ImageSummary,
  ProgressMessage,
} from "./images.ts";
export type { EndpointIpamConfig, EndpointSettings, NetworkInspect, NetworkingConfig } from "./networks.ts";
export {
  encodeFrame,
  encodeFrameHeader,
  FrameDecoder,
  frameHeaderBytes,
  maxFrameBytes,
  type StreamFrame,
  type StreamName,
} from "./stream-frames.ts";
export type { ComponentCommit, ErrorResponse, SystemInfo, SystemVersion } from "./system.ts";
export {
  type ApiVersion,
  compareApiVersions,
  newestApiVersion,
  oldestApiVersion,
  parseApiVersion,
} from "./version.ts";
export type { Volume, VolumeCreateRequest, VolumeListResponse, VolumePruneResponse } from "./volumes.ts";
