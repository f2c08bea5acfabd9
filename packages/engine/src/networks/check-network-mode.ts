import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import { networkServiceFaults } from "./faults.ts";

/**
 * Refuse what a container cannot decide because it has another's network, or host name, in place of its own. Asked of what the client
 * says, not of what the image adds: ports that an image exposes are no contradiction.
 *
 * @throws {Fault} `invalid-argument` in Docker's words (moby's `validateNetMode`).
 */
export function checkNetworkMode(config: ContainerConfig, hostConfig: HostConfig): void {
  const { networkMode, links, dns, extraHosts, portBindings, publishAllPorts, utsMode } = hostConfig;
  if (networkMode.startsWith("container:")) {
    const conflicts: readonly (readonly [boolean, string])[] = [
      [config.hostname !== "", "hostname and the network mode"],
      [links.length > 0, `container type network can't ${withLinks}`],
      [dns.length > 0, "dns and the network mode"],
      [extraHosts.length > 0, "custom host-to-IP mapping and the network mode"],
      [
        publishAllPorts || Object.keys(portBindings).length > 0,
        "port publishing and the container type network mode",
      ],
      [config.exposedPorts.length > 0, "port exposing and the container type network mode"],
    ];
    for (const [isConflict, what] of conflicts)
      if (isConflict) throw networkServiceFaults.MODE_CONFLICT(what);
  }
  if (utsMode === "host" && config.hostname !== "")
    throw networkServiceFaults.MODE_CONFLICT("hostname and the UTS mode");
  if (networkMode === "host" && links.length > 0)
    throw networkServiceFaults.MODE_CONFLICT(`host type networking can't ${withLinks}`);
}

const withLinks = "be used with links. This would result in undefined behavior";
