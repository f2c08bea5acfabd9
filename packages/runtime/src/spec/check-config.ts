import { isIP } from "node:net";
import { parseSignal } from "@hawser/oci";
import type { ContainerConfig, Healthcheck, HostConfig } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";
import { checkMounts } from "./bind.ts";
import { resolveCapabilities } from "./capabilities.ts";
import { checkLog } from "./check-log.ts";
import { checkResources } from "./check-resources.ts";
import { parseDeviceRule } from "./devices.ts";
import { parseCgroupnsMode, parseIpcMode, parsePidMode, parseUtsMode } from "./namespaces.ts";
import { buildRlimits } from "./resources.ts";
import { parseSecurityOptions } from "./security-opt.ts";
import type { HostFacts } from "./spec-input.ts";
import { checkSysctls } from "./sysctls.ts";
import { checkUserMap } from "./user-map.ts";

/**
 * Everything that can be found wrong with a container's configuration without looking at the host's files, in one go when
 * the container is created: dockerd finds some of it only at the start. Returns warnings for the user.
 *
 * @throws {Fault} `invalid-argument` with Docker's words.
 */
export function checkConfig(
  container: { readonly config: ContainerConfig; readonly hostConfig: HostConfig },
  host: HostFacts,
): readonly string[] {
  const { config, hostConfig } = container;
  parseSignal(config.stopSignal);
  if (config.workingDir !== "" && !config.workingDir.startsWith("/")) {
    throw runtimeFaults.WORKDIR_NOT_ABSOLUTE(config.workingDir);
  }
  for (const entry of config.env) {
    if (entry === "" || entry.startsWith("=")) throw runtimeFaults.ENV_INVALID(entry);
  }
  checkHealthcheck(config.healthcheck);
  const { name, maximumRetryCount } = hostConfig.restartPolicy;
  if (hostConfig.autoRemove && name !== "no") {
    throw runtimeFaults.OPTIONS_CONFLICT("can't create 'AutoRemove' container with restart policy");
  }
  if (maximumRetryCount < 0) {
    throw runtimeFaults.OPTIONS_CONFLICT("maximum retry count cannot be negative");
  }
  resolveCapabilities({
    add: hostConfig.capAdd,
    drop: hostConfig.capDrop,
    privileged: hostConfig.privileged,
  });
  parseSecurityOptions(hostConfig.securityOpt);
  parsePidMode(hostConfig.pidMode);
  parseIpcMode(hostConfig.ipcMode);
  parseUtsMode(hostConfig.utsMode);
  parseCgroupnsMode(hostConfig, host);
  checkUserMap(hostConfig, host);
  checkMounts(hostConfig);
  buildRlimits(hostConfig.ulimits);
  for (const rule of hostConfig.deviceCgroupRules) parseDeviceRule(rule);
  checkSysctls(hostConfig);
  checkLog(hostConfig.log);
  for (const entry of hostConfig.extraHosts) checkExtraHost(entry);
  if ("" in hostConfig.annotations) {
    throw runtimeFaults.OPTIONS_CONFLICT(
      "invalid Annotations: the empty string is not permitted as an annotation key",
    );
  }
  if (Object.keys(hostConfig.storageOpt).length > 0) {
    throw runtimeFaults.OPTIONS_CONFLICT(
      "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
    );
  }
  const { networkMode, portBindings } = hostConfig;
  const warnings = checkResources(hostConfig, host);
  return networkMode === "host" && Object.keys(portBindings).length > 0
    ? [...warnings, "Published ports are discarded when using host network mode"]
    : warnings;
}

/** `name:address`, or `name=address`. */
function checkExtraHost(entry: string): void {
  const [, name, address = ""] = /^([^:=]+)[:=](.*)$/s.exec(entry) ?? [];
  if (name === undefined) throw runtimeFaults.OPTIONS_CONFLICT(`bad format for add-host: "${entry}"`);
  if (address !== "host-gateway" && isIP(address.replace(/^\[(.*)\]$/, "$1")) === 0) {
    throw runtimeFaults.OPTIONS_CONFLICT(`invalid IP address in add-host: "${address}"`);
  }
}

/** A duration of 0 stands for the default. */
function checkHealthcheck(check: Healthcheck | undefined): void {
  if (check === undefined) return;
  const durations = {
    Interval: check.intervalNs,
    Timeout: check.timeoutNs,
    StartPeriod: check.startPeriodNs,
    StartInterval: check.startIntervalNs,
  };
  for (const [name, ns] of Object.entries(durations)) {
    if (ns !== 0 && ns < 1_000_000) {
      throw runtimeFaults.OPTIONS_CONFLICT(`${name} in Healthcheck cannot be less than 1ms`);
    }
  }
  if (check.retries < 0) throw runtimeFaults.OPTIONS_CONFLICT("Retries in Healthcheck cannot be negative");
}
