import { Fault } from "@hawser/base";
import { AddressSpace } from "./address-space.ts";
import { networkFaults } from "./faults.ts";
import { contains, formatIp, type IpAddress, type IpPrefix, macOfIp, parseIp } from "./ip-address.ts";

/** Addresses that are somebody's until they are released. */
export interface Lease {
  readonly ipv4?: LeasedAddress;
  readonly ipv6?: LeasedAddress;
  readonly macAddress: string;
}

/** An address that somebody has, and the way out of its subnet. */
export interface LeasedAddress {
  readonly address: string;
  readonly prefixLength: number;
  /** Empty when the network has none. */
  readonly gateway: string;
}

/** A subnet of a network. */
export interface LeasedSubnet {
  readonly prefix: IpPrefix;
  /** The way out; absent: there is none. */
  readonly gateway?: IpAddress;
  /** Where addresses are given from. */
  readonly range?: IpPrefix;
  readonly reserved?: readonly IpAddress[];
}

interface LeasedSpace {
  readonly subnet: LeasedSubnet;
  readonly space: AddressSpace;
}

/** The addresses of those who are on a network: one of each family that it has, of the first of its subnets that has one. */
export class AddressLeases {
  readonly #spaces: readonly LeasedSpace[];

  /** @param taken addresses of containers that run already */
  constructor(subnets: readonly LeasedSubnet[], taken: readonly string[]) {
    this.#spaces = subnets.map((subnet) => {
      const { prefix, gateway, range, reserved = [] } = subnet;
      const kept = gateway === undefined ? reserved : [gateway, ...reserved];
      return { subnet, space: new AddressSpace(prefix, { ...(range && { range }), reserved: kept }) };
    });
    for (const text of taken) this.#reserve(text);
  }

  /**
   * @param wanted these rather than any
   * @throws {Fault} `resource-exhausted` when all are in use, `conflict` when a wanted one is, `invalid-argument` when it is
   *   not of this network. Nothing is taken then.
   */
  lease(
    wanted: { readonly ipv4?: string; readonly ipv6?: string; readonly macAddress?: string } = {},
  ): Lease {
    const taken: { space: AddressSpace; address: IpAddress; leased: LeasedAddress }[] = [];
    try {
      for (const family of [4, 6] as const) {
        const spaces = this.#spaces.filter(({ subnet: { prefix } }) => prefix.family === family);
        if (spaces.length === 0) continue;
        const text = family === 4 ? wanted.ipv4 : wanted.ipv6;
        const { space, subnet, address } = text === undefined ? takeAny(spaces) : takeThis(spaces, text);
        const gateway = subnet.gateway === undefined ? "" : formatIp(subnet.gateway);
        const leased = { address: formatIp(address), prefixLength: subnet.prefix.length, gateway };
        taken.push({ space, address, leased });
      }
    } catch (error) {
      for (const { space, address } of taken) space.release(address);
      throw error;
    }
    const [first] = taken;
    if (first === undefined) throw networkFaults.NO_ADDRESS("no subnet");
    const ipv4 = taken.find(({ address }) => address.family === 4)?.leased;
    const ipv6 = taken.find(({ address }) => address.family === 6)?.leased;
    return {
      ...(ipv4 && { ipv4 }),
      ...(ipv6 && { ipv6 }),
      macAddress: wanted.macAddress ?? macOfIp(first.address),
    };
  }

  /** Whoever had them is gone. */
  release(lease: Pick<Lease, "ipv4" | "ipv6">): void {
    for (const leased of [lease.ipv4, lease.ipv6]) {
      const address = leased && parseIp(leased.address);
      if (address !== undefined) spaceOf(this.#spaces, address)?.space.release(address);
    }
  }

  #reserve(text: string): void {
    const address = parseIp(text);
    const found = address && spaceOf(this.#spaces, address);
    try {
      found?.space.takeThis(text);
    } catch {
      // two containers of a damaged record, or what has become the gateway: it is not given again, which is what counts
    }
  }
}

function spaceOf(spaces: readonly LeasedSpace[], address: IpAddress): LeasedSpace | undefined {
  return spaces.find(
    ({ subnet: { prefix } }) => prefix.family === address.family && contains(prefix, address),
  );
}

function takeAny(spaces: readonly LeasedSpace[]): LeasedSpace & { readonly address: IpAddress } {
  for (const [at, one] of spaces.entries()) {
    try {
      return { ...one, address: one.space.take() };
    } catch (error) {
      if (at === spaces.length - 1 || !Fault.is(error, "resource-exhausted")) throw error;
    }
  }
  throw networkFaults.NO_ADDRESS("no subnet");
}

function takeThis(
  spaces: readonly LeasedSpace[],
  text: string,
): LeasedSpace & { readonly address: IpAddress } {
  const wanted = parseIp(text);
  const one = (wanted && spaceOf(spaces, wanted)) ?? spaces[0];
  if (one === undefined) throw networkFaults.NO_ADDRESS("no subnet");
  return { ...one, address: one.space.takeThis(text) };
}

/** The addresses of a lease, and its gateways of the wanted families, as netlink takes them. */
export function placesOf(lease: Lease, ways: { readonly ipv4: boolean; readonly ipv6: boolean }) {
  const both = [lease.ipv4, lease.ipv6].filter((leased) => leased !== undefined);
  const wanted = [...(ways.ipv4 ? [lease.ipv4] : []), ...(ways.ipv6 ? [lease.ipv6] : [])];
  return {
    addresses: both.flatMap(({ address: text, prefixLength }) => {
      const address = parseIp(text);
      return address === undefined ? [] : [{ address, prefixLength }];
    }),
    gateways: wanted.flatMap((leased) => (leased && parseIp(leased.gateway)) ?? []),
  };
}

/** Link-local addresses as netlink takes them. Each is on a network of its family's usual size. */
export function linkLocalPlaces(texts: readonly string[] = []) {
  return texts.flatMap((text) => {
    const address = parseIp(text);
    return address === undefined ? [] : [{ address, prefixLength: address.family === 4 ? 16 : 64 }];
  });
}
