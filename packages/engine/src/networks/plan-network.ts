import { Fault } from "@hawser/base";
import {
  choosePrefix,
  chooseUniqueLocalPrefix,
  contains,
  formatIp,
  formatPrefix,
  type IpPrefix,
  lastOf,
  parseCidr,
  parseIp,
  prefixesOverlap,
  type Surroundings,
} from "@hawser/network";
import { networkServiceFaults } from "./faults.ts";
import type { NetworkRecord, SubnetConfig } from "./network-record.ts";

/** The subnets that a client asks for, as they are. */
export interface SubnetRequest {
  readonly subnet: string;
  readonly ipRange: string;
  readonly gateway: string;
  readonly auxiliaryAddresses: Readonly<Record<string, string>>;
}

/**
 * Check the subnets that were asked for (moby's `network.ValidateIPAM`): all that is wrong is told at once.
 *
 * @throws {Fault} `invalid-argument`
 */
export function checkSubnets(subnets: readonly SubnetRequest[], options: { readonly ipv6: boolean }): void {
  const problems = subnets.flatMap((request) => [...problemsOf(request, options)]);
  if (problems.length === 0) return;
  const why = problems.length === 1 ? problems.join("") : problems.map((text) => `* ${text}`).join("\n");
  throw networkServiceFaults.CONFIG_INVALID(why);
}

function* problemsOf(request: SubnetRequest, options: { readonly ipv6: boolean }): Generator<string> {
  const { subnet, ipRange, gateway, auxiliaryAddresses } = request;
  const parsed = parseCidr(subnet);
  if (parsed === undefined) {
    yield `invalid subnet ${subnet}: invalid CIDR block notation`;
    return;
  }
  const { prefix, address } = parsed;
  if (prefix.family === 6 && !options.ipv6) return; // left out, as Docker does
  if (address.value !== prefix.first) {
    yield `invalid subnet ${subnet}: it should be ${formatPrefix(prefix)}`;
  }
  if (ipRange !== "") yield* problemsOfRange(ipRange, { prefix, subnet });
  for (const [what, text] of [
    ["gateway", gateway],
    ...Object.values(auxiliaryAddresses).map((value) => ["auxiliary address", value]),
  ] as const) {
    if (text === "" || text === undefined) continue;
    const ip = parseIp(text);
    if (ip === undefined) yield `invalid ${what} ${text}: invalid address`;
    else if (!contains(prefix, ip)) {
      yield `invalid ${what} ${text}: parent subnet ${subnet} doesn't contain this address`;
    }
  }
}

function* problemsOfRange(
  ipRange: string,
  parent: { readonly prefix: IpPrefix; readonly subnet: string },
): Generator<string> {
  const range = parseCidr(ipRange);
  if (range === undefined) {
    yield `invalid ip-range ${ipRange}: invalid CIDR block notation`;
  } else if (
    range.prefix.length < parent.prefix.length ||
    !contains(parent.prefix, { family: range.prefix.family, value: range.prefix.first })
  ) {
    yield `invalid ip-range ${ipRange}: parent subnet ${parent.subnet} doesn't contain ip-range`;
  } else if (range.address.value !== range.prefix.first) {
    yield `invalid ip-range ${ipRange}: it should be ${formatPrefix(range.prefix)}`;
  }
}

/**
 * The subnets of a new network: those asked for, and one that is free for each family that has none.
 *
 * @throws {Fault} Docker's words: `permission-denied` when one overlaps with another network's, `invalid-argument` when none
 *   is free.
 */
export function planSubnets(
  request: {
    readonly subnets: readonly SubnetRequest[];
    readonly driver: string;
    readonly ipv4: boolean;
    readonly ipv6: boolean;
    readonly randomBytes: (size: number) => Uint8Array;
  },
  around: Surroundings,
): { readonly subnets: readonly SubnetConfig[]; readonly chosenFamilies: readonly (4 | 6)[] } {
  const wanted = request.subnets.flatMap(({ subnet, ipRange, gateway, auxiliaryAddresses }) => {
    const prefix = parseCidr(subnet)?.prefix;
    if (prefix === undefined || !(prefix.family === 4 ? request.ipv4 : request.ipv6)) return [];
    const config: SubnetConfig = {
      subnet,
      ...(ipRange !== "" && { ipRange }),
      ...(gateway !== "" && { gateway }),
      ...(Object.keys(auxiliaryAddresses).length > 0 && { auxiliaryAddresses }),
    };
    return [{ prefix, config }];
  });
  for (const [index, { prefix }] of wanted.entries()) {
    const others = [...(around.networks ?? []), ...wanted.slice(0, index).map((other) => other.prefix)];
    if (others.some((other) => prefixesOverlap(prefix, other))) throw networkServiceFaults.SUBNET_OVERLAPS();
  }
  for (const family of [4, 6] as const) {
    const count = wanted.filter(({ prefix }) => prefix.family === family).length;
    if (count > 1 && request.driver === "bridge") throw networkServiceFaults.SEVERAL_SUBNETS(request.driver);
  }
  const configs = wanted.map(({ config }) => config);
  const has = (family: 4 | 6) => wanted.some(({ prefix }) => prefix.family === family);
  const chosen = [
    ...(request.ipv4 && !has(4) ? [withGateway(chooseIpv4(around))] : []),
    ...(request.ipv6 && !has(6) ? [withGateway(chooseIpv6(request.randomBytes, around))] : []),
  ];
  return {
    subnets: [...configs, ...chosen].toSorted((a, b) => familyOf(a) - familyOf(b)),
    chosenFamilies: chosen.map(familyOf),
  };
}

function chooseIpv4(around: Surroundings): IpPrefix {
  try {
    return choosePrefix(around);
  } catch (error) {
    throw Fault.is(error, "resource-exhausted")
      ? networkServiceFaults.SUBNETS_EXHAUSTED().because(error)
      : error;
  }
}

function chooseIpv6(randomBytes: (size: number) => Uint8Array, around: Surroundings): IpPrefix {
  for (;;) {
    const prefix = chooseUniqueLocalPrefix(randomBytes(5));
    if (![...around.routes, ...(around.networks ?? [])].some((other) => prefixesOverlap(prefix, other))) {
      return prefix;
    }
  }
}

function withGateway(prefix: IpPrefix): SubnetConfig {
  return {
    subnet: formatPrefix(prefix),
    gateway: formatIp({ family: prefix.family, value: prefix.first + 1n }),
  };
}

function familyOf({ subnet }: SubnetConfig): 4 | 6 {
  return subnet.includes(":") ? 6 : 4;
}

/** The prefixes of a network; what it holds was checked when it was made. */
export function prefixesOf({ subnets }: Pick<NetworkRecord, "subnets">): readonly IpPrefix[] {
  return subnets.flatMap(({ subnet }) => parseCidr(subnet)?.prefix ?? []);
}

/** The same as text; none for a template, whose subnets are nobody's yet. */
export function prefixTextsOf(record: Pick<NetworkRecord, "subnets" | "configOnly">): readonly string[] {
  return record.configOnly ? [] : prefixesOf(record).map(formatPrefix);
}

/** The host's address on a subnet: the one asked for, or the first that may be given. */
export function gatewayOf({ subnet, ipRange, gateway, auxiliaryAddresses = {} }: SubnetConfig): string {
  if (gateway !== undefined) return gateway;
  const prefix = parseCidr(ipRange ?? subnet)?.prefix;
  const parent = parseCidr(subnet)?.prefix;
  if (prefix === undefined || parent === undefined) return "";
  const taken = new Set(Object.values(auxiliaryAddresses).map((text) => parseIp(text)?.value));
  const first = prefix.first === parent.first && prefix.length < (prefix.family === 4 ? 31 : 127) ? 1n : 0n;
  for (let value = prefix.first + first; value <= lastOf(prefix); value++) {
    if (!taken.has(value)) return formatIp({ family: prefix.family, value });
  }
  return "";
}
