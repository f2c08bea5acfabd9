import { closeSync } from "node:fs";
import { netlinkAsync, openNamespaceOfProcess } from "@hawser/linux";
import { AddressLeases, type Lease, type LeasedSubnet, linkLocalPlaces, placesOf } from "./address-leases.ts";
import { createEndpoint, type Endpoint } from "./endpoint.ts";
import { networkFaults } from "./faults.ts";
import type { Firewall } from "./firewall.ts";
import type { RuleElement } from "./firewall-rules.ts";
import { enableForwarding, routeLoopback } from "./forwarding.ts";
import { ensureHostBridge, removeHostBridge } from "./host-bridge.ts";
import { type InterfaceRequest, interfaceIndexOf, makeInterface } from "./interface.ts";
import { formatPrefix, parseIp } from "./ip-address.ts";
import { change, findLink } from "./netlink/host-network.ts";
import { deleteLink, isolatePort, setLink } from "./netlink/link.ts";
import { setDefaultRoute } from "./netlink/route.ts";
import type { PlugOptions } from "./plug-options.ts";

/** How the host treats a network: `nat`, without protection of what is not published, without translation, or not at all. */
export type GatewayMode = "nat" | "nat-unprotected" | "routed" | "isolated";

/** A subnet of a bridge: how it is reached, and whether who goes out gets the host's address. */
export interface BridgeSubnet extends LeasedSubnet {
  readonly mode: GatewayMode;
  readonly masquerade: boolean;
  /** The host's address that who goes out gets; absent: that of the interface. */
  readonly source?: string;
  /** Whether the bridge has the gateway's address; absent: it has. */
  readonly hasHostAddress?: boolean;
}

export interface BridgeNetworkOptions {
  /** Name of the bridge interface. */
  readonly bridge: string;
  /** One of a family at most. */
  readonly subnets: readonly BridgeSubnet[];
  readonly mtu: number;
  /** No way out, and none in. */
  readonly internal: boolean;
  /** Whether containers reach each other. */
  readonly interContainer: boolean;
  /** Interfaces of the host whose neighbours may ask for published ports at containers' own addresses. */
  readonly trustedInterfaces?: readonly string[];
  readonly firewall: Firewall;
  /** Addresses of containers that run already. */
  readonly reserved: readonly string[];
  readonly nextHostInterface: () => string;
}

/**
 * A bridge of the host with its addresses and rules, and the addresses of those who are on it. `open` finds what an engine
 * that died has left and puts it right. Disposing leaves it to the containers that run; `remove` takes it away.
 */
export class BridgeNetwork implements AsyncDisposable {
  readonly #options: BridgeNetworkOptions;
  readonly #leases: AddressLeases;
  readonly #hostNamespaceFd: number;
  readonly #making = new Set<Promise<unknown>>();
  #index: number;
  #closing: Promise<void> | undefined;

  /** @throws {Fault} `invalid-argument` for the name, `conflict` when it is another interface's, `unavailable`, `internal`. */
  static async open(options: BridgeNetworkOptions): Promise<BridgeNetwork> {
    checkBridgeName(options.bridge);
    const families = options.subnets
      .filter(({ gateway }) => gateway !== undefined)
      .map(({ prefix }) => prefix.family);
    const [index] = await Promise.all([
      ensureHostBridge(hostBridgeOf(options)),
      ...(options.internal ? [] : families.map(enableForwarding)),
    ]);
    await Promise.all([routeLoopback(options.bridge), options.firewall.add(ruleElementsOf(options))]);
    return new BridgeNetwork(options, index);
  }

  private constructor(options: BridgeNetworkOptions, index: number) {
    this.#options = options;
    this.#index = index;
    this.#hostNamespaceFd = openNamespaceOfProcess("self");
    this.#leases = new AddressLeases(options.subnets, options.reserved);
  }

  get bridge(): string {
    return this.#options.bridge;
  }

  get mtu(): number {
    return this.#options.mtu;
  }

  /**
   * An address of each family that the network has.
   *
   * @param wanted these rather than any
   * @throws {Fault} `resource-exhausted` when all are in use, `conflict` when a wanted one is, `invalid-argument` when it is
   *   not of this network. Nothing is taken then.
   */
  lease(wanted: Parameters<AddressLeases["lease"]>[0] = {}): Lease {
    return this.#leases.lease(wanted);
  }

  /** Whoever had them is gone. */
  release(lease: Pick<Lease, "ipv4" | "ipv6">): void {
    this.#leases.release(lease);
  }

  /** A new namespace with `eth0` on this network, and its default route through it. */
  async createEndpoint(lease: Lease): Promise<Endpoint> {
    return await this.#tracked(createEndpoint(this.#requestOf(lease, { gateways: true })));
  }

  /**
   * Give a namespace an interface on this network. Returns the name of the host's end, `unplug` takes which.
   *
   * @param options.gateways the families whose default route goes this way
   * @throws {Fault} `internal` when the kernel refuses.
   */
  async plug(lease: Lease, options: PlugOptions): Promise<string> {
    const request = this.#requestOf(lease, options);
    const addresses = [...request.addresses, ...linkLocalPlaces(options.beside)];
    const named = { ...request, addresses, name: options.name };
    const send = async (messages: { readonly inside: Buffer; readonly outside: Buffer }) => ({
      inside: await netlinkAsync(messages.inside, { namespaceFd: options.namespaceFd }),
      outside: await netlinkAsync(messages.outside),
    });
    const { hostInterface } = await this.#tracked(makeInterface(named, send, () => {}));
    return hostInterface;
  }

  /** Let an interface of a namespace be the way to everything else, in place of what was. */
  async routeThrough(
    gateway: string,
    options: { readonly namespaceFd: number; readonly name: string },
  ): Promise<void> {
    const address = parseIp(gateway);
    if (address === undefined) return;
    const index = interfaceIndexOf(options.name);
    await change(
      `route through ${gateway}`,
      [setDefaultRoute({ index, family: address.family, gateway: address })],
      { namespaceFd: options.namespaceFd },
    );
  }

  /** Put the bridge and its rules back, as far as they are missing, and the containers' interfaces on it. */
  async restore(hostInterfaces: readonly string[]): Promise<void> {
    this.#index = await ensureHostBridge(hostBridgeOf(this.#options));
    await routeLoopback(this.bridge);
    const there = hostInterfaces.filter((name) => findLink(name) !== undefined);
    if (there.length === 0) return;
    await change(
      `put interfaces on bridge ${this.bridge}`,
      there.flatMap((name) => [
        setLink({ name, masterIndex: this.#index, up: true }),
        ...(this.#options.interContainer ? [] : [isolatePort(name)]),
      ]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#making).then(() => closeSync(this.#hostNamespaceFd));
    await this.#closing;
  }

  /** Dispose, and remove bridge and rules. Containers that still run lose this network. */
  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await Promise.all([
      removeHostBridge(this.bridge),
      this.#options.firewall.delete(ruleElementsOf(this.#options)),
    ]);
  }

  #requestOf(
    lease: Lease,
    options: { readonly gateways: boolean | { readonly ipv4: boolean; readonly ipv6: boolean } },
  ): Omit<InterfaceRequest, "name"> {
    const { gateways } = options;
    const wants = typeof gateways === "boolean" ? { ipv4: gateways, ipv6: gateways } : gateways;
    const { mtu, internal, interContainer, nextHostInterface } = this.#options;
    return {
      macAddress: lease.macAddress,
      mtu,
      ...placesOf(lease, internal ? { ipv4: false, ipv6: false } : wants),
      bridgeIndex: this.#index,
      hostNamespaceFd: this.#hostNamespaceFd,
      nextHostInterface,
      isolated: !interContainer,
    };
  }

  async #tracked<T>(making: Promise<T>): Promise<T> {
    this.#making.add(making);
    try {
      return await making;
    } finally {
      this.#making.delete(making);
    }
  }
}

/**
 * Take a container's interface away, by the name of the host's end, or by its own in its namespace; fine when it is gone.
 */
export async function unplug(name: string, namespaceFd?: number): Promise<void> {
  const where = namespaceFd === undefined ? {} : { namespaceFd };
  await change(`take away ${name}`, [deleteLink(name)], { accept: ["ENODEV"], ...where });
}

/** It goes into rules and kernel names, so it is held to what needs no quoting anywhere. @throws {Fault} `invalid-argument` */
export function checkBridgeName(name: string): void {
  if (/^[A-Za-z0-9][\w.-]{0,14}$/.test(name)) return;
  throw networkFaults.NAME_INVALID("the name of a bridge", name, 'up to 15 letters, digits, "_", "." or "-"');
}

function hostBridgeOf({ bridge: name, mtu, subnets }: BridgeNetworkOptions) {
  const addresses = subnets.flatMap(({ prefix, gateway, mode, hasHostAddress = true }) =>
    gateway === undefined || mode === "isolated" || !hasHostAddress
      ? []
      : [{ address: gateway, prefixLength: prefix.length }],
  );
  return { name, mtu, addresses };
}

function ruleElementsOf(options: BridgeNetworkOptions): RuleElement[] {
  const { bridge, internal, subnets, trustedInterfaces = [] } = options;
  const key = JSON.stringify(bridge);
  const perFamily = subnets.flatMap(({ prefix, mode, masquerade, source }): RuleElement[] => {
    const { family } = prefix;
    const isTranslated = masquerade && !internal && (mode === "nat" || mode === "nat-unprotected");
    const subnet = formatPrefix(prefix);
    const translation: RuleElement =
      source === undefined
        ? { set: `masquerade${family}`, key: subnet }
        : { set: `source${family}`, key: subnet, value: source };
    return [
      ...(isTranslated ? [translation] : []),
      ...(mode === "nat-unprotected" && !internal ? [{ set: `unprotected${family}` as const, key }] : []),
    ];
  });
  return [
    { set: "bridges", key },
    { set: "same", key: `${key} . ${key}` },
    ...(internal ? [{ set: "internal" as const, key }] : []),
    ...trustedInterfaces.map((name) => ({
      set: "trusted" as const,
      key: `${JSON.stringify(name)} . ${key}`,
    })),
    ...perFamily,
  ];
}
