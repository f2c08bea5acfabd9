import type { ContainerConfig, Healthcheck } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";

/** What an image brings to a container: the run-time part of its configuration, in Hawser's words. */
export type ImageDefaults = Partial<
  Pick<
    ContainerConfig,
    | "user"
    | "env"
    | "cmd"
    | "entrypoint"
    | "workingDir"
    | "labels"
    | "volumes"
    | "exposedPorts"
    | "stopSignal"
    | "healthcheck"
    | "shell"
    | "onBuild"
  >
>;

/**
 * A container's configuration with the image's filled in where it was silent. An entrypoint of the container's own drops
 * the image's `cmd`; an entrypoint of one empty word clears the image's. Variables, labels, ports and volumes of both are
 * joined, the container's win.
 *
 * @throws {Fault} `invalid-argument` "no command specified" when neither names a program.
 */
export function mergeImageConfig(config: ContainerConfig, image: ImageDefaults): ContainerConfig {
  const ownEntrypoint = config.entrypoint !== undefined && config.entrypoint.length > 0;
  const entrypoint = config.entrypoint ?? image.entrypoint;
  const cmd = ownEntrypoint || (config.cmd?.length ?? 0) > 0 ? config.cmd : image.cmd;
  const cleared = entrypoint?.length === 1 && entrypoint[0] === "";
  const healthcheck = mergeHealthcheck(config.healthcheck, image.healthcheck);
  const { entrypoint: _entrypoint, cmd: _cmd, ...rest } = config;
  const merged: ContainerConfig = {
    ...rest,
    ...(entrypoint !== undefined && !cleared && { entrypoint }),
    ...(cmd !== undefined && { cmd }),
    user: config.user || (image.user ?? ""),
    env: mergeEnv(config.env, image.env ?? []),
    workingDir: config.workingDir || (image.workingDir ?? ""),
    labels: { ...image.labels, ...config.labels },
    volumes: [...new Set([...config.volumes, ...(image.volumes ?? [])])],
    exposedPorts: [...new Set([...config.exposedPorts, ...(image.exposedPorts ?? [])])],
    stopSignal: config.stopSignal || (image.stopSignal ?? ""),
    ...(healthcheck && { healthcheck }),
    ...optional("shell", config.shell ?? image.shell),
  };
  if ((merged.entrypoint?.length ?? 0) + (merged.cmd?.length ?? 0) === 0) throw runtimeFaults.NO_COMMAND();
  return merged;
}

/** The container's own variables first, then the image's that it does not name. */
function mergeEnv(own: readonly string[], image: readonly string[]): readonly string[] {
  const names = new Set(own.map(variableName));
  return [...own, ...image.filter((entry) => !names.has(variableName(entry)))];
}

function mergeHealthcheck(
  own: Healthcheck | undefined,
  image: Healthcheck | undefined,
): Healthcheck | undefined {
  if (own === undefined || image === undefined) return own ?? image;
  return {
    test: own.test.length > 0 ? own.test : image.test,
    intervalNs: own.intervalNs || image.intervalNs,
    timeoutNs: own.timeoutNs || image.timeoutNs,
    startPeriodNs: own.startPeriodNs || image.startPeriodNs,
    startIntervalNs: own.startIntervalNs || image.startIntervalNs,
    retries: own.retries || image.retries,
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}

/** `A` of `A=1`. */
export function variableName(entry: string): string {
  const end = entry.indexOf("=");
  return end < 0 ? entry : entry.slice(0, end);
}
