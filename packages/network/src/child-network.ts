import { AddressLeases, type Lease, type LeasedSubnet, linkLocalPlaces, placesOf } from "./address-leases.ts";
import { configureMessages } from "./interface.ts";
import { change, linksIn } from "./netlink/host-network.ts";
import { createChildLink } from "./netlink/link.ts";
import { changeOfKind, ensureParentLink, type MadeParent, removeParentLink } from "./parent-link.ts";
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
  /** It is there for the network; absent: it is the host's own. */
  readonly madeParent?: MadeParent;
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
 * address of its own). The host has no part in it, so there is nothing to publish or to translate; a parent that was made for
 * it goes with it.
 */
export class ChildNetwork implements AsyncDisposable {
  /** It has none. */
  readonly bridge: undefined;
  readonly #options: ChildNetworkOptions;
  readonly #leases: AddressLeases;

  /**
   * @throws {Fault} `not-found` without the parent, `not-implemented` when it cannot be made. Whether the kernel has the kind of
   *   the containers' own interfaces shows at the first `plug`.
   */
  static async open(options: ChildNetworkOptions): Promise<ChildNetwork> {
    await ensureParentLink(options.parent, options.madeParent);
    return new ChildNetwork(options);
  }

  private constructor(options: ChildNetworkOptions) {
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
    const { kind, parent, madeParent, mode, mtu, internal } = this.#options;
    const parentIndex = await ensureParentLink(parent, madeParent);
    const message = createChildLink({
      kind,
      name,
      mtu,
      ...(kind === "macvlan" && { macAddress: lease.macAddress }),
      parentIndex,
      namespaceFd,
      mode: childModes[kind][mode] ?? 0,
    });
    await changeOfKind(kind, `make a ${kind} of ${parent}`, [message]);
    const places = placesOf(lease, internal ? { ipv4: false, ipv6: false } : gateways);
    const addresses = [...places.addresses, ...linkLocalPlaces(beside)];
    const index = (await linksIn(namespaceFd)).find((link) => link.name === name)?.index ?? 0;
    await change(`set up ${name}`, configureMessages({ name, index, ...places, addresses }), { namespaceFd });
    return undefined;
  }

  /** Nothing of it is on the host. */
  async restore(): Promise<void> {}

  /** @param options.withParent it was made, and no other network is on it */
  async remove(options: { readonly withParent: boolean }): Promise<void> {
    if (options.withParent) await removeParentLink(this.#options.parent);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
