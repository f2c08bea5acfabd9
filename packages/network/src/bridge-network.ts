import { closeSync } from "node:fs";
import { netlinkAsync, openNamespaceOfProcess } from "@hawser/linux";
import { AddressSpace } from "./address-space.ts";
import { createEndpoint, type Endpoint } from "./endpoint.ts";
import { networkFaults } from "./faults.ts";
import type { Firewall } from "./firewall.ts";
import type { RuleElement } from "./firewall-rules.ts";
import { enableForwarding, routeLoopback } from "./forwarding.ts";
import { ensureHostBridge, removeHostBridge } from "./host-bridge.ts";
import { type InterfaceRequest, interfaceIndexOf, makeInterface } from "./interface.ts";
import {
  contains,
  formatIp,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  macOfIp,
  parseIp,
} from "./ip-address.ts";
import { change, findLink } from "./netlink/host-network.ts";
import { deleteLink, isolatePort, setLink } from "./netlink/link.ts";
import { setDefaultRoute } from "./netlink/route.ts";

/** How the host treats a network: `nat`, without protection of what is not published, without translation, or not at all. */
export type GatewayMode = "nat" | "nat-unprotected" | "routed" | "isolated";

export interface BridgeSubnet {
  readonly prefix: IpPrefix;
  /** The host's address; absent: the host has none there. */
  readonly gateway?: IpAddress;
  /** Where addresses are given from. */
  readonly range?: IpPrefix;
  readonly reserved?: readonly IpAddress[];
  readonly mode: GatewayMode;
  readonly masquerade: boolean;
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
  readonly firewall: Firewall;
  /** Addresses of containers that run already. */
  readonly reserved: readonly string[];
  readonly nextHostInterface: () => string;
}

/** Addresses that are somebody's until they are released. */
export interface Lease {
  readonly ipv4?: LeasedAddress;
  readonly ipv6?: LeasedAddress;
  readonly macAddress: string;
}

export interface LeasedAddress {
  readonly address: string;
  readonly prefixLength: number;
  /** Empty when the network has none. */
  readonly gateway: string;
}

/**
 * A bridge of the host with its addresses and rules, and the addresses of those who are on it. `open` finds what an engine
 * that died has left and puts it right. Disposing leaves it to the containers that run; `remove` takes it away.
 */
export class BridgeNetwork implements AsyncDisposable {
  readonly #options: BridgeNetworkOptions;
  readonly #spaces: ReadonlyMap<4 | 6, { readonly subnet: BridgeSubnet; readonly space: AddressSpace }>;
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
    this.#spaces = new Map(
      options.subnets.map((subnet) => {
        const { prefix, gateway, range, reserved = [] } = subnet;
        const kept = gateway === undefined ? reserved : [gateway, ...reserved];
        const space = new AddressSpace(prefix, { ...(range && { range }), reserved: kept });
        return [prefix.family, { subnet, space }] as const;
      }),
    );
    for (const text of options.reserved) this.#reserve(text);
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
  lease(
    wanted: { readonly ipv4?: string; readonly ipv6?: string; readonly macAddress?: string } = {},
  ): Lease {
    const taken: { space: AddressSpace; address: IpAddress; leased: LeasedAddress }[] = [];
    try {
      for (const [family, { space, subnet }] of this.#spaces) {
        const text = family === 4 ? wanted.ipv4 : wanted.ipv6;
        const address = text === undefined ? space.take() : space.takeThis(text);
        const gateway = subnet.gateway === undefined ? "" : formatIp(subnet.gateway);
        const leased = { address: formatIp(address), prefixLength: subnet.prefix.length, gateway };
        taken.push({ space, address, leased });
      }
    } catch (error) {
      for (const { space, address } of taken) space.release(address);
      throw error;
    }
    const [first] = taken;
    if (first === undefined) throw networkFaults.NO_ADDRESS(this.bridge);
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
      if (address !== undefined) this.#spaces.get(address.family)?.space.release(address);
    }
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
  async plug(
    lease: Lease,
    options: {
      readonly namespaceFd: number;
      readonly name: string;
      readonly gateways: { readonly ipv4: boolean; readonly ipv6: boolean };
    },
  ): Promise<string> {
    const request = { ...this.#requestOf(lease, options), name: options.name };
    const send = async (messages: { readonly inside: Buffer; readonly outside: Buffer }) => ({
      inside: await netlinkAsync(messages.inside, { namespaceFd: options.namespaceFd }),
      outside: await netlinkAsync(messages.outside),
    });
    const { hostInterface } = await this.#tracked(makeInterface(request, send, () => {}));
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

  #reserve(text: string): void {
    const address = parseIp(text);
    const found = address && this.#spaces.get(address.family);
    if (!address || !found || !contains(found.subnet.prefix, address)) return;
    try {
      found.space.takeThis(text);
    } catch {
      // two containers of a damaged record, or what has become the gateway: it is not given again, which is what counts
    }
  }

  #requestOf(
    lease: Lease,
    options: { readonly gateways: boolean | { readonly ipv4: boolean; readonly ipv6: boolean } },
  ): Omit<InterfaceRequest, "name"> {
    const { gateways } = options;
    const wants = typeof gateways === "boolean" ? { ipv4: gateways, ipv6: gateways } : gateways;
    const both = [lease.ipv4, lease.ipv6].filter((leased) => leased !== undefined);
    const ways = [...(wants.ipv4 ? [lease.ipv4] : []), ...(wants.ipv6 ? [lease.ipv6] : [])];
    const { mtu, internal, interContainer, nextHostInterface } = this.#options;
    return {
      macAddress: lease.macAddress,
      mtu,
      addresses: both.flatMap(({ address: text, prefixLength }) => {
        const address = parseIp(text);
        return address === undefined ? [] : [{ address, prefixLength }];
      }),
      gateways: internal ? [] : ways.flatMap((leased) => (leased && parseIp(leased.gateway)) ?? []),
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

/** Take a container's interface away, by the name of the host's end; fine when it is gone. */
export async function unplug(hostInterface: string): Promise<void> {
  await change(`take away ${hostInterface}`, [deleteLink(hostInterface)], { accept: ["ENODEV"] });
}

/** It goes into rules and kernel names, so it is held to what needs no quoting anywhere. @throws {Fault} `invalid-argument` */
export function checkBridgeName(name: string): void {
  if (/^[A-Za-z0-9][\w.-]{0,14}$/.test(name)) return;
  throw networkFaults.NAME_INVALID("the name of a bridge", name, 'up to 15 letters, digits, "_", "." or "-"');
}

function hostBridgeOf({ bridge: name, mtu, subnets }: BridgeNetworkOptions) {
  const addresses = subnets.flatMap(({ prefix, gateway, mode }) =>
    gateway === undefined || mode === "isolated" ? [] : [{ address: gateway, prefixLength: prefix.length }],
  );
  return { name, mtu, addresses };
}

function ruleElementsOf({ bridge, internal, subnets }: BridgeNetworkOptions): RuleElement[] {
  const key = JSON.stringify(bridge);
  const perFamily = subnets.flatMap(({ prefix, mode, masquerade }): RuleElement[] => {
    const { family } = prefix;
    const isTranslated = masquerade && !internal && (mode === "nat" || mode === "nat-unprotected");
    return [
      ...(isTranslated ? [{ set: `masquerade${family}` as const, key: formatPrefix(prefix) }] : []),
      ...(mode === "nat-unprotected" && !internal ? [{ set: `unprotected${family}` as const, key }] : []),
    ];
  });
  return [
    { set: "bridges", key },
    { set: "same", key: `${key} . ${key}` },
    ...(internal ? [{ set: "internal" as const, key }] : []),
    ...perFamily,
  ];
}
