import { networkFaults } from "./faults.ts";
import { formatSubnet, type Subnet, subnetOf } from "./ipv4.ts";

/** Something of the host that a subnet must keep clear of. */
export interface Occupied {
  readonly destination: number;
  readonly prefixLength: number;
}

/**
 * The first subnet for a bridge that overlaps with nothing the host has a route to: 172.30/16 down to 172.18/16 (172.17 is
 * dockerd's own), then 192.168.240/20 down to 192.168.0/20, then 10.254/16 down to 10.200/16. The gateway has its first
 * address.
 *
 * @throws {Fault} `resource-exhausted`.
 */
export function chooseSubnet(occupied: readonly Occupied[]): Subnet {
  for (const candidate of candidates()) {
    if (!occupied.some((other) => overlaps(candidate, other))) return candidate;
  }
  throw networkFaults.NO_SUBNET();
}

/**
 * Check a subnet that was asked for. A wider route of the host is fine, since the longer prefix wins; one that lies inside
 * would take addresses away.
 *
 * @throws {Fault} `conflict`.
 */
export function checkSubnet(subnet: Subnet, occupied: readonly Occupied[]): void {
  const inside = occupied.find(
    (other) => other.prefixLength >= subnet.prefixLength && overlaps(subnet, other),
  );
  if (inside === undefined) return;
  const other = formatSubnet({ network: inside.destination, prefixLength: inside.prefixLength });
  throw networkFaults.SUBNET_TAKEN(formatSubnet(subnet), other);
}

function* candidates(): Generator<Subnet> {
  for (let second = 30; second >= 18; second--) yield subnetOf(((172 << 24) | (second << 16) | 1) >>> 0, 16);
  for (let third = 240; third >= 0; third -= 16)
    yield subnetOf(((192 << 24) | (168 << 16) | (third << 8) | 1) >>> 0, 20);
  for (let second = 254; second >= 200; second--) yield subnetOf(((10 << 24) | (second << 16) | 1) >>> 0, 16);
}

function overlaps(subnet: Subnet, other: Occupied): boolean {
  const { network, broadcast } = subnetOf(other.destination, other.prefixLength);
  return network <= subnet.broadcast && broadcast >= subnet.network;
}
