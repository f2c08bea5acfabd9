import type { IdRange, UserMap } from "@hawser/oci";
import type { HostConfig } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";
import type { HostFacts, OwnerMaps } from "./spec-input.ts";

/** The map of a container; `undefined`: its users are the host's. */
export function userMapOf(
  { usernsMode }: Pick<HostConfig, "usernsMode">,
  { userMap }: Pick<HostFacts, "userMap">,
): UserMap | undefined {
  return usernsMode === "host" ? undefined : userMap;
}

/** As a mount wants it: what is the inside's on the disk is seen as the outside's. */
export function ownerMapsOf({ uids, gids }: UserMap): OwnerMaps {
  return { uids: formatRanges(uids), gids: formatRanges(gids) };
}

/**
 * The same for layers of an overlay that is written to: the kernel makes some of its files as the host's root, who has to be
 * somebody on the disk, and gives them to their owner afterwards.
 */
export function layerOwnersOf(userMap: UserMap): OwnerMaps {
  const { uids, gids } = ownerMapsOf(userMap);
  return { uids: `${uids}\n${lastId} 0 1`, gids: `${gids}\n${lastId} 0 1` };
}

/** Nobody's. */
const lastId = 2 ** 32 - 2;

/** @throws {Fault} `invalid-argument` for what the host's users alone may have, in Docker's words where it has some. */
export function checkUserMap(hostConfig: HostConfig, host: Pick<HostFacts, "userMap">): void {
  if (userMapOf(hostConfig, host) === undefined) return;
  if (hostConfig.privileged)
    throw runtimeFaults.OPTIONS_CONFLICT(
      "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode",
    );
  if (hostConfig.networkMode === "host")
    throw runtimeFaults.OPTIONS_CONFLICT(
      "cannot share the host's network namespace when user namespaces are enabled",
    );
  if (hostConfig.pidMode === "host")
    throw runtimeFaults.OPTIONS_CONFLICT(
      "cannot share the host PID namespace when user namespaces are enabled",
    );
  const setting = Object.keys(hostConfig.sysctls).find((name) => /^net[./]/.test(name));
  if (setting !== undefined)
    throw runtimeFaults.OPTIONS_CONFLICT(
      `sysctl "${setting}" cannot be set when user namespaces are enabled: networks belong to the host's users`,
    );
}

function formatRanges(ranges: readonly IdRange[]): string {
  return ranges.map(({ inside, outside, count }) => `${inside} ${outside} ${count}`).join("\n");
}
