import { AddressLeases, type Lease, type LeasedSubnet, linkLocalPlaces, placesOf } from "./address-leases.ts";
import { networkFaults } from "./faults.ts";
import { configureMessages, interfaceIndexOf } from "./interface.ts";
import { change, errnoName, findLink } from "./netlink/host-network.ts";
import { createChildLink } from "./netlink/link.ts";
import type { PlugOptions } from "./plug-options.ts";

export type ChildKind = "macvlan" | "ipvlan";

/** Numbers of linux/if_link.h. */
export const childModes: Readonly<Record<ChildKind, Readonly<Record<string, number>>>> = {
  macvlan: { private: 1, vepa: 2, bridge: 4, passthru: 8 },
  ipvlan: { l2: 0, l3: 1, l3s: 2 },
};

export interface ChildNetworkOptions {
  readonly kind: ChildKind;
  /** An interface of the host. */
  readonly parent: string;
  /** Of `childModes`. */
  readonly mode: string;
  readonly mtu: number;
  readonly subnets: readonly LeasedSubnet[];
  readonly internal: boolean;
  /** Addresses of containers that run already. */
  readonly reserved: readonly string[];
}

/**
 * A network that an interface of the host is on: each container gets an interface of its own there (macvlan: with a MAC
 * address of its own). The host has no part in it, so there is nothing to publish, to translate or to take away.
 */
export class ChildNetwork implements AsyncDisposable {
  /** It has none. */
  readonly bridge: undefined;
  readonly #options: ChildNetworkOptions;
  readonly #leases: AddressLeases;

  /** @throws {Fault} `not-found` without the parent. Whether the kernel has the kind shows at the first `plug`. */
  constructor(options: ChildNetworkOptions) {
    if (findLink(options.parent) === undefined) throw networkFaults.NO_PARENT(options.parent);
    this.#options = options;
    this.#leases = new AddressLeases(options.subnets, options.reserved);
  }

  lease(wanted: Parameters<AddressLeases["lease"]>[0] = {}): Lease {
    return this.#leases.lease(wanted);
  }

  release(lease: Pick<Lease, "ipv4" | "ipv6">): void {
    this.#leases.release(lease);
  }

  /** As `BridgeNetwork.plug`; there is no host's end. @throws {Fault} `not-implemented` when the kernel lacks the kind. */
  async plug(lease: Lease, { namespaceFd, name, gateways, beside }: PlugOptions): Promise<undefined> {
    const { kind, parent, mode, mtu, internal } = this.#options;
    const link = findLink(parent);
    if (link === undefined) throw networkFaults.NO_PARENT(parent);
    const message = createChildLink({
      kind,
      name,
      mtu,
      ...(kind === "macvlan" && { macAddress: lease.macAddress }),
      index: interfaceIndexOf(name),
      parentIndex: link.index,
      namespaceFd,
      mode: childModes[kind][mode] ?? 0,
    });
    try {
      await change(`make a ${kind} of ${parent}`, [message]);
    } catch (error) {
      if (error instanceof Error && error.message.includes(errnoName(95)))
        throw networkFaults.KIND_MISSING(kind);
      throw error;
    }
    const places = placesOf(lease, internal ? { ipv4: false, ipv6: false } : gateways);
    const addresses = [...places.addresses, ...linkLocalPlaces(beside)];
    await change(`set up ${name}`, configureMessages({ name, ...places, addresses }), { namespaceFd });
    return undefined;
  }

  /** Nothing of it is on the host. */
  async restore(): Promise<void> {}

  async remove(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
