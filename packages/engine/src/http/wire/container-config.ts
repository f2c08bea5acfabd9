import type { ContainerConfig as WireConfig } from "@hawser/api";
import type { ContainerConfig, Healthcheck } from "@hawser/runtime";
import {
  boolean,
  type Codec,
  commandLine,
  integer,
  list,
  map,
  nameSet,
  omitEmpty,
  optional,
  record,
  string,
} from "./codec.ts";

export const healthcheckCodec: Codec<Healthcheck> = record<Healthcheck>({
  test: ["Test", omitEmpty(list(string))],
  intervalNs: ["Interval", omitEmpty(integer)],
  timeoutNs: ["Timeout", omitEmpty(integer)],
  startPeriodNs: ["StartPeriod", omitEmpty(integer)],
  startIntervalNs: ["StartInterval", omitEmpty(integer)],
  retries: ["Retries", omitEmpty(integer)],
});

/**
 * Docker's `Config` (API 1.51). `Cmd` and `Entrypoint` keep the difference between "not asked for" (`null`) and "nothing"
 * (`[]`), which decides what is taken from the image.
 */
export const containerConfigCodec: Codec<ContainerConfig> = record<ContainerConfig>({
  hostname: ["Hostname", string],
  domainname: ["Domainname", string],
  user: ["User", string],
  attachStdin: ["AttachStdin", boolean],
  attachStdout: ["AttachStdout", boolean],
  attachStderr: ["AttachStderr", boolean],
  exposedPorts: ["ExposedPorts", nameSet(undefined)],
  tty: ["Tty", boolean],
  openStdin: ["OpenStdin", boolean],
  stdinOnce: ["StdinOnce", boolean],
  env: ["Env", list(string, null)],
  cmd: ["Cmd", optional(commandLine, null)],
  healthcheck: ["Healthcheck", optional(healthcheckCodec)],
  argsEscaped: ["ArgsEscaped", optional(omitEmpty(boolean))],
  image: ["Image", string],
  volumes: ["Volumes", nameSet(null)],
  workingDir: ["WorkingDir", string],
  entrypoint: ["Entrypoint", optional(commandLine, null)],
  networkDisabled: ["NetworkDisabled", optional(omitEmpty(boolean))],
  macAddress: ["MacAddress", optional(omitEmpty(string))],
  onBuild: ["OnBuild", optional(list(string), null)],
  labels: ["Labels", map(string)],
  stopSignal: ["StopSignal", omitEmpty(string)],
  stopTimeoutSeconds: ["StopTimeout", optional(integer)],
  shell: ["Shell", optional(omitEmpty(commandLine))],
});

/** A container's configuration as inspect shows it. */
export function encodeContainerConfig(config: ContainerConfig): WireConfig {
  return containerConfigCodec.encode(config) as WireConfig;
}
