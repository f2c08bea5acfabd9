import { networkFaults } from "./faults.ts";
import {
  contains,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  lastOf,
  parseCidr,
  prefixesOverlap,
  prefixOf,
  requirePrefix,
} from "./ip-address.ts";

/** A subnet with the address in it that the host has. */
export interface Subnet {
  readonly prefix: IpPrefix;
  readonly gateway: IpAddress;
}

/**
 * `172.30.0.1/16`: the gateway's address and the length of the prefix, 8 to 30.
 *
 * @throws {Fault} `invalid-argument`.
 */
export function parseSubnet(text: string): Subnet {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw networkFaults.SUBNET_INVALID(text);
  const { prefix, address: gateway } = parsed;
  const { family, first, length } = prefix;
  if (family !== 4 || length < 8 || length > 30) throw networkFaults.SUBNET_INVALID(text);
  if (gateway.value === first || gateway.value === lastOf(prefix)) throw networkFaults.SUBNET_INVALID(text);
  return { prefix, gateway };
}

/**
 * `fd00:1::/64`, with the gateway's address before the slash or without: the first one then.
 *
 * @throws {Fault} `invalid-argument`.
 */
export function parseSubnet6(text: string): Subnet {
  const parsed = parseCidr(text);
  if (parsed === undefined || parsed.prefix.family !== 6 || parsed.prefix.length > 126)
    throw networkFaults.CIDR_INVALID(text);
  const { prefix, address } = parsed;
  return {
    prefix,
    gateway: address.value === prefix.first ? { family: 6, value: prefix.first + 1n } : address,
  };
}

/** What a new subnet must keep clear of. */
export interface Surroundings {
  /** Routes of the host. */
  readonly routes: readonly IpPrefix[];
  /** Subnets of other networks, whether they are up or not. */
  readonly networks?: readonly IpPrefix[];
  /** Resolvers, which containers must reach. */
  readonly addresses?: readonly IpAddress[];
  /** Where a chosen subnet is to be from; none: see `choosePrefix`. */
  readonly pools?: readonly SubnetPool[];
  /** The subnet to choose when it is free and no pool is named, `172.17.0.0/16`. */
  readonly preferred?: string;
}

/** Addresses that are given to networks in pieces. */
export interface SubnetPool {
  /** `10.0.0.0/8` */
  readonly base: string;
  /** Length of the prefix of each piece. */
  readonly size: number;
}

/**
 * The first IPv4 subnet for a bridge that overlaps with nothing around: 172.30/16 down to 172.18/16 (172.17 is dockerd's
 * own), then 192.168.240/20 down to 192.168.0/20, then 10.254/16 down to 10.200/16. With IPv4 pools: their first that is.
 *
 * @throws {Fault} `resource-exhausted`.
 */
export function choosePrefix({
  routes,
  networks = [],
  addresses = [],
  pools = [],
  preferred,
}: Surroundings): IpPrefix {
  const taken = [...routes, ...networks];
  const own = pools.flatMap(({ base, size }) => {
    const prefix = parseCidr(base)?.prefix;
    return prefix?.family === 4 ? [{ prefix, size }] : [];
  });
  for (const candidate of own.length > 0 ? piecesOf(own) : candidates(preferred)) {
    const isFree = !taken.some((other) => prefixesOverlap(candidate, other));
    if (isFree && !addresses.some((address) => contains(candidate, address))) return candidate;
  }
  throw networkFaults.NO_SUBNET();
}

/** An IPv6 subnet of the addresses that are nobody's (RFC 4193): `random` is 5 bytes of chance, which keep it unique. */
export function chooseUniqueLocalPrefix(random: Uint8Array): IpPrefix {
  const global = BigInt(`0x${Buffer.from(random).subarray(0, 5).toString("hex")}`);
  return { family: 6, first: (0xfdn << 120n) | (global << 80n), length: 64 };
}

/**
 * Check a subnet that was asked for. A wider route of the host is fine, since the longer prefix wins; one that lies inside
 * would take addresses away.
 *
 * @throws {Fault} `conflict`.
 */
export function checkSubnet(prefix: IpPrefix, { routes }: Surroundings): void {
  const inside = routes.find((other) => other.length >= prefix.length && prefixesOverlap(prefix, other));
  if (inside !== undefined) throw networkFaults.SUBNET_TAKEN(formatPrefix(prefix), formatPrefix(inside));
}

function* piecesOf(
  pools: readonly { readonly prefix: IpPrefix; readonly size: number }[],
): Generator<IpPrefix> {
  for (const { prefix, size } of pools) {
    const step = 1n << BigInt(32 - size);
    for (let value = prefix.first; value <= lastOf(prefix); value += step) {
      yield prefixOf({ family: 4, value }, size);
    }
  }
}

function* candidates(preferred: string | undefined): Generator<IpPrefix> {
  if (preferred !== undefined) yield requirePrefix(preferred);
  const ipv4 = (a: number, b: number, c: number, length: number) =>
    prefixOf({ family: 4, value: BigInt(((a << 24) | (b << 16) | (c << 8)) >>> 0) }, length);
  for (let second = 30; second >= 18; second--) yield ipv4(172, second, 0, 16);
  for (let third = 240; third >= 0; third -= 16) yield ipv4(192, 168, third, 20);
  for (let second = 254; second >= 200; second--) yield ipv4(10, second, 0, 16);
}
