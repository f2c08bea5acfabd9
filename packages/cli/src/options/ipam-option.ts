import { BlockList, isIP, isIPv6 } from "node:net";
import { valueError } from "./value-error.ts";

/** One of `IPAM.Config`. */
export interface IpamConfig {
  readonly Subnet: string;
  readonly IPRange?: string;
  readonly Gateway?: string;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>;
}

/**
 * Put ranges, gateways and addresses to the subnets that they are of.
 *
 * @throws {Fault} `invalid-argument`, Docker's words, when one is of none, or a subnet gets two of a kind
 */
export function ipamConfigFrom(given: {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  readonly auxiliary: ReadonlyMap<string, string>;
}): readonly IpamConfig[] {
  const { subnets, ranges, gateways, auxiliary } = given;
  if (subnets.length < Math.max(ranges.length, gateways.length)) {
    throw valueError("every ip-range or gateway must have a corresponding subnet");
  }
  const parents = subnets.map((subnet) => ({ subnet, contains: rangeOf(subnet) }));
  const parentOf = (address: string) =>
    parents.find(({ contains }) => contains(address.replace(/\/.*$/, "")))?.subnet;
  const byParent = (kind: string, values: readonly string[]) => {
    const found = new Map<string, string>();
    for (const value of values) {
      const parent = parentOf(value);
      if (parent === undefined) throw valueError(`no matching subnet for ${kind} ${value}`);
      if (found.has(parent)) {
        throw valueError(
          `cannot configure multiple ${kind}s (${value}, ${found.get(parent)}) on the same subnet (${parent})`,
        );
      }
      found.set(parent, value);
    }
    return found;
  };
  const rangeBy = byParent("range", ranges);
  const gatewayBy = byParent("gateway", gateways);
  const stray = [...auxiliary.values()].find((address) => parentOf(address) === undefined);
  if (stray !== undefined) throw valueError(`no matching subnet for aux-address ${stray}`);
  return subnets.map((subnet) => {
    const own = [...auxiliary].filter(([, address]) => parentOf(address) === subnet);
    const [range, gateway] = [rangeBy.get(subnet), gatewayBy.get(subnet)];
    return {
      Subnet: subnet,
      ...(range !== undefined && { IPRange: range }),
      ...(gateway !== undefined && { Gateway: gateway }),
      ...(own.length > 0 && { AuxiliaryAddresses: Object.fromEntries(own) }),
    };
  });
}

/** Whether an address is of the subnet. @throws {Fault} `invalid-argument` for what is no subnet */
function rangeOf(subnet: string): (address: string) => boolean {
  const [, host = "", digits = ""] = /^([^/]+)\/(\d{1,3})$/.exec(subnet) ?? [];
  const family = isIPv6(host) ? "ipv6" : "ipv4";
  if (isIP(host) === 0 || Number(digits) > (family === "ipv6" ? 128 : 32)) {
    throw valueError(`invalid CIDR address: ${subnet}`);
  }
  const block = new BlockList();
  block.addSubnet(host, Number(digits), family);
  return (address) => isIP(address) !== 0 && block.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
