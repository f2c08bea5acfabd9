import { networkFaults } from "./faults.ts";
import { formatIpv4, formatSubnet, parseIpv4, type Subnet } from "./ipv4.ts";

/**
 * Which addresses of a subnet are in use. Gives those that were never used first, in order, then those released longest
 * ago, so that whoever still talks to a container that is gone does not reach another one at once.
 */
export class AddressPool {
  readonly #subnet: Subnet;
  readonly #taken = new Set<number>();
  /** In the order of their release. */
  readonly #released = new Set<number>();
  #fresh: number;

  /** `reserved`: in use from the start; those outside of the subnet are ignored. */
  constructor(subnet: Subnet, reserved: Iterable<number> = []) {
    this.#subnet = subnet;
    this.#fresh = subnet.network + 1;
    for (const address of reserved) if (this.#isHost(address)) this.#taken.add(address);
  }

  /** @throws {Fault} `resource-exhausted`. */
  take(): number {
    while (this.#fresh < this.#subnet.broadcast) {
      const address = this.#fresh++;
      if (!this.#isHost(address) || this.#taken.has(address) || this.#released.has(address)) continue;
      this.#taken.add(address);
      return address;
    }
    const [oldest] = this.#released;
    if (oldest === undefined) throw networkFaults.NO_ADDRESS(formatSubnet(this.#subnet));
    this.#released.delete(oldest);
    this.#taken.add(oldest);
    return oldest;
  }

  /** @throws {Fault} `invalid-argument` when it is not an address for a container, `conflict` when it is in use. */
  takeThis(text: string): number {
    const address = parseIpv4(text);
    if (address === undefined || !this.#isHost(address)) {
      throw networkFaults.ADDRESS_OUTSIDE(text, formatSubnet(this.#subnet));
    }
    if (this.#taken.has(address)) throw networkFaults.ADDRESS_TAKEN(formatIpv4(address));
    this.#released.delete(address);
    this.#taken.add(address);
    return address;
  }

  /** An address that is not in use is left alone. */
  release(address: number): void {
    if (this.#taken.delete(address)) this.#released.add(address);
  }

  #isHost(address: number): boolean {
    const { network, broadcast, gateway } = this.#subnet;
    return address > network && address < broadcast && address !== gateway;
  }
}
