import type { IdRange, RuntimeIdMapping, RuntimeSeccomp, RuntimeSpec } from "@hawser/oci";
import { resolveCapabilities } from "./capabilities.ts";
import { buildDevices } from "./devices.ts";
import { pathProtection } from "./masked-paths.ts";
import { buildMounts, rootfsPropagation } from "./mounts.ts";
import { buildNamespaces, parseUtsMode } from "./namespaces.ts";
import { buildProcess } from "./process.ts";
import { buildResources } from "./resources.ts";
import { resolveSeccomp } from "./seccomp.ts";
import { defaultSeccompPolicy } from "./seccomp-default-policy.ts";
import { parseSeccompProfile } from "./seccomp-policy.ts";
import { parseSecurityOptions } from "./security-opt.ts";
import type { SpecInput } from "./spec-input.ts";
import { buildSysctls } from "./sysctls.ts";
import { userMapOf } from "./user-map.ts";

/**
 * The whole `config.json` of a container. Pure: the same input gives the same specification.
 *
 * `ociVersion` is 1.0.2 on purpose: crun before 1.9 refuses anything but 1.0.x, and nothing newer is used.
 *
 * @throws {Fault} `invalid-argument` for what `checkConfig` finds too.
 */
export function buildSpec(input: SpecInput): RuntimeSpec {
  const { config, hostConfig } = input;
  const ownUts = parseUtsMode(hostConfig.utsMode) === "own";
  const { devices, rules } = buildDevices(input);
  const security = parseSecurityOptions(hostConfig.securityOpt);
  const seccomp = buildSeccomp(input);
  const propagation = rootfsPropagation(input.mounts);
  const userMap = userMapOf(hostConfig, input.host);
  return {
    ociVersion: "1.0.2",
    process: buildProcess(input),
    root: { path: input.rootfs, readonly: hostConfig.readonlyRootfs },
    ...(ownUts && { hostname: config.hostname }),
    mounts: buildMounts(input),
    linux: {
      namespaces: buildNamespaces(input),
      ...(userMap && { uidMappings: idMappings(userMap.uids), gidMappings: idMappings(userMap.gids) }),
      cgroupsPath: input.cgroupsPath,
      resources: buildResources(input, rules),
      devices,
      ...(seccomp && { seccomp }),
      ...pathProtection(hostConfig, security.systemPathsUnconfined),
      sysctl: buildSysctls(input),
      ...(propagation && { rootfsPropagation: propagation }),
    },
    ...(Object.keys(hostConfig.annotations).length > 0 && { annotations: hostConfig.annotations }),
  };
}

function idMappings(ranges: readonly IdRange[]): readonly RuntimeIdMapping[] {
  return ranges.map(({ inside, outside, count }) => ({ containerID: inside, hostID: outside, size: count }));
}

function buildSeccomp(input: SpecInput): RuntimeSeccomp | undefined {
  const { hostConfig, host } = input;
  const { seccomp } = parseSecurityOptions(hostConfig.securityOpt);
  if (seccomp === "unconfined" || (hostConfig.privileged && seccomp === undefined)) return undefined;
  const isDefault = seccomp === undefined || seccomp === "" || seccomp === "builtin";
  const policy = isDefault ? defaultSeccompPolicy() : parseSeccompProfile(seccomp);
  const capabilities = resolveCapabilities(
    { add: hostConfig.capAdd, drop: hostConfig.capDrop, privileged: hostConfig.privileged },
    host.capabilities,
  );
  return resolveSeccomp(policy, { ...host, capabilities });
}
