import { networkFaults } from "./faults.ts";
import { macAddressOf, parseSubnet, type Subnet, subnetOf } from "./ipv4.ts";
import { change, findLink, hostAddresses, hostRoutes } from "./netlink/host-network.ts";
import {
  addAddress,
  createBridge,
  deleteAddress,
  deleteLink,
  type Link,
  setLink,
  setLinkWithoutIpv6,
} from "./netlink/route.ts";
import { checkSubnet, chooseSubnet } from "./subnet-choice.ts";

/** The bridge interface of the host, as it is after `ensureHostBridge`. */
export interface HostBridge {
  readonly name: string;
  readonly index: number;
  readonly subnet: Subnet;
}

/**
 * The bridge with its gateway address, up; made, or found again and corrected. Without `subnet` it keeps the one it has, or
 * gets a free one. It has a MAC address of its own: by default the kernel gives a bridge the lowest of its ports', which
 * changes as containers come and go, and with it what everybody remembers of the gateway.
 *
 * @throws {Fault} `conflict` when the name is another interface's or the subnet is in use, `resource-exhausted` when no
 * subnet is free, `internal` when the kernel refuses.
 */
export async function ensureHostBridge(options: {
  readonly name: string;
  readonly subnet?: string;
  readonly mtu: number;
}): Promise<HostBridge> {
  const { name, mtu } = options;
  const existing = findLink(name);
  if (existing !== undefined && existing.kind !== "bridge") {
    throw networkFaults.NOT_A_BRIDGE(name, existing.kind || "not made by software");
  }
  const subnet = subnetFor(existing, options.subnet);
  const macAddress = macAddressOf(subnet.gateway);
  const create = existing === undefined ? [createBridge({ name })] : [];
  await change(`make bridge ${name}`, [
    ...create,
    setLinkWithoutIpv6(name),
    setLink({ name, macAddress, mtu, up: true }),
  ]);
  const index = existing?.index ?? findLink(name)?.index;
  if (index === undefined) throw networkFaults.REFUSED(`make bridge ${name}`, "ENODEV", "it has vanished");
  const { gateway: address, prefixLength } = subnet;
  const others = hostAddresses().filter(
    (other) => other.index === index && !(other.address === address && other.prefixLength === prefixLength),
  );
  await change(`give bridge ${name} its address`, [
    ...others.map(deleteAddress),
    addAddress({ index, address, prefixLength }),
  ]);
  return { name, index, subnet };
}

/** Remove the bridge; fine when it is gone. */
export async function removeHostBridge(name: string): Promise<void> {
  await change(`remove bridge ${name}`, [deleteLink(name)], { accept: ["ENODEV"] });
}

function subnetFor(existing: Link | undefined, wanted: string | undefined): Subnet {
  const occupied = hostRoutes().filter(
    ({ outIndex }) => existing === undefined || outIndex !== existing.index,
  );
  if (wanted !== undefined) {
    const subnet = parseSubnet(wanted);
    checkSubnet(subnet, occupied);
    return subnet;
  }
  const kept = hostAddresses().find(({ index }) => index === existing?.index);
  return kept === undefined ? chooseSubnet(occupied) : subnetOf(kept.address, kept.prefixLength);
}
