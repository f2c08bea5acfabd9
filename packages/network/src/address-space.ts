import { networkFaults } from "./faults.ts";
import {
  contains,
  formatIp,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  lastOf,
  parseIp,
} from "./ip-address.ts";

/**
 * Which addresses of a subnet are in use. Gives those that were never used first, in order, then those released longest
 * ago, so that whoever still talks to a container that is gone does not reach another one at once.
 */
export class AddressSpace {
  readonly #subnet: IpPrefix;
  readonly #range: IpPrefix;
  readonly #reserved: ReadonlySet<bigint>;
  readonly #taken = new Set<bigint>();
  /** In the order of their release. */
  readonly #released = new Set<bigint>();
  #fresh: bigint;

  /**
   * @param options.range where addresses are given from; others of the subnet only to who asks for them
   * @param options.reserved never given: the gateway, auxiliary addresses
   */
  constructor(
    subnet: IpPrefix,
    options: { readonly range?: IpPrefix; readonly reserved?: Iterable<IpAddress> } = {},
  ) {
    this.#subnet = subnet;
    this.#range = options.range ?? subnet;
    this.#reserved = new Set([...(options.reserved ?? [])].map(({ value }) => value));
    this.#fresh = this.#range.first;
  }

  /** @throws {Fault} `resource-exhausted`. */
  take(): IpAddress {
    const last = lastOf(this.#range);
    while (this.#fresh <= last) {
      const value = this.#fresh++;
      if (!this.#isHost(value) || this.#taken.has(value) || this.#released.has(value)) continue;
      return this.#hold(value);
    }
    for (const value of this.#released)
      if (value >= this.#range.first && value <= last) return this.#hold(value);
    throw networkFaults.NO_ADDRESS(formatPrefix(this.#subnet));
  }

  /** @throws {Fault} `invalid-argument` when it is not of this subnet, `conflict` when it is in use. */
  takeThis(text: string): IpAddress {
    const address = parseIp(text);
    if (address === undefined || !contains(this.#subnet, address) || !this.#isAddress(address.value)) {
      throw networkFaults.ADDRESS_OUTSIDE(text, formatPrefix(this.#subnet));
    }
    if (this.#taken.has(address.value) || this.#reserved.has(address.value)) {
      throw networkFaults.ADDRESS_TAKEN(formatIp(address));
    }
    return this.#hold(address.value);
  }

  /** An address that is not in use is left alone. */
  release({ value }: IpAddress): void {
    if (this.#taken.delete(value)) this.#released.add(value);
  }

  #hold(value: bigint): IpAddress {
    this.#released.delete(value);
    this.#taken.add(value);
    return { family: this.#subnet.family, value };
  }

  #isHost(value: bigint): boolean {
    return this.#isAddress(value) && !this.#reserved.has(value);
  }

  /** Neither the name of the subnet nor, for IPv4, its broadcast address. A /31 and a /32 have neither. */
  #isAddress(value: bigint): boolean {
    const { family, first, length } = this.#subnet;
    if (family === 4 && length >= 31) return true;
    return value !== first && (family === 6 || value !== lastOf(this.#subnet));
  }
}
