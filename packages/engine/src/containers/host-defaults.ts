import type { HostConfig } from "@hawser/runtime";
import type { ContainerHost } from "./host.ts";

/** A container's host configuration with what this engine gives to those that say nothing. */
export function withDefaults(asked: HostConfig, host: ContainerHost): HostConfig {
  const { defaults } = host;
  const init = asked.init ?? (defaults.init || undefined);
  return {
    ...asked,
    runtime: asked.runtime || host.defaultRuntime,
    cgroupnsMode: asked.cgroupnsMode || defaults.cgroupnsMode || defaultCgroupns(host),
    ipcMode: asked.ipcMode || defaults.ipcMode,
    shmSizeBytes: asked.shmSizeBytes || defaults.shmSizeBytes,
    networkMode: asked.networkMode === "bridge" ? defaults.network : asked.networkMode,
    log: withLogDefaults(asked.log, defaults.log),
    ulimits: [
      ...asked.ulimits,
      ...defaults.ulimits.filter(({ name }) => asked.ulimits.every((limit) => limit.name !== name)),
    ],
    securityOpt: [...asked.securityOpt, ...defaults.securityOpt.filter((option) => isFree(option, asked))],
    // Version 2 of cgroups has no such thing.
    ...(host.cgroups.mode !== "v2" && { oomKillDisable: asked.oomKillDisable ?? false }),
    ...(init !== undefined && { init }),
  };
}

/** Docker's default: a namespace of its own where the unified hierarchy makes that useful. */
function defaultCgroupns({ cgroups }: ContainerHost): string {
  return cgroups.mode === "v2" ? "private" : "host";
}

/** A driver's options are the engine's as far as the container has none, when the driver is the engine's, too. */
function withLogDefaults(asked: HostConfig["log"], own: HostConfig["log"]): HostConfig["log"] {
  const driver = asked.driver || own.driver;
  return { driver, options: driver === own.driver ? { ...own.options, ...asked.options } : asked.options };
}

/** Nothing is said of the same by the container; a privileged one has no system call policy. */
function isFree(option: string, asked: HostConfig): boolean {
  const subject = (text: string) => text.split(/[=:]/, 1)[0];
  if (asked.privileged && subject(option) === "seccomp") return false;
  return asked.securityOpt.every((other) => subject(other) !== subject(option));
}
