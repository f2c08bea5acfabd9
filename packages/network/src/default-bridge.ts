import type { Logger } from "@hawser/base";
import type { Lease } from "./address-leases.ts";
import { BridgeNetwork } from "./bridge-network.ts";
import type { Endpoint } from "./endpoint.ts";
import { networkFaults } from "./faults.ts";
import type { Firewall } from "./firewall.ts";
import {
  formatIp,
  formatPrefix,
  type IpPrefix,
  lastOf,
  parseIp,
  prefixesOverlap,
  prefixOf,
  requirePrefix,
} from "./ip-address.ts";
import { findLink, hostAddresses, hostRoutes } from "./netlink/host-network.ts";
import { ReadyPool } from "./ready-pool.ts";
import {
  checkSubnet,
  choosePrefix,
  parseSubnet,
  parseSubnet6,
  type Subnet,
  type SubnetPool,
} from "./subnet-choice.ts";
import { lockSubnets } from "./subnet-lock.ts";

export interface DefaultBridgeOptions {
  /** Name of the bridge interface; one bridge belongs to one engine. */
  readonly bridge: string;
  /** Gateway and prefix length, `172.30.0.1/16`; absent: what the bridge has, or else one that is free on this host. */
  readonly subnet?: string;
  /** IPv4 addresses are given from there, `172.30.5.0/24`; without `subnet` it is the subnet. */
  readonly range?: string;
  /** IPv6, `fd00:1::/64` or with the gateway's address before the slash; absent: none. */
  readonly subnet6?: string;
  readonly firewall: Firewall;
  readonly nextHostInterface: () => string;
  /** Endpoints to hold ready. */
  readonly poolSize?: number;
  readonly mtu?: number;
  /** Whether containers reach each other; default: they do. */
  readonly interContainer?: boolean;
  /** Whether what goes out has the host's address; default: it does. */
  readonly masquerade?: boolean;
  /** Addresses of containers that run already. */
  readonly reserved: readonly string[];
  /** What a subnet that is chosen keeps clear of, beside the host's routes. */
  readonly avoid?: { readonly networks: readonly string[]; readonly addresses: readonly string[] };
  /** Where it is from; none: what is free on the host. */
  readonly pools?: readonly SubnetPool[];
  /** The subnet to choose when it is free and no pool is named. */
  readonly preferred?: string;
  readonly log: Logger;
}

/** What the default bridge is, as `docker network inspect bridge` tells it. */
export interface BridgeInfo {
  readonly bridge: string;
  /** `172.30.0.0/16` */
  readonly subnet: string;
  readonly gateway: string;
  readonly ipv6?: { readonly subnet: string; readonly gateway: string };
  /** Where IPv4 addresses are given from, when not from all of the subnet. */
  readonly range?: string;
  readonly prefixLength: number;
  readonly mtu: number;
  readonly interContainer: boolean;
  readonly masquerade: boolean;
}

/** A place on the default bridge: a namespace that is on it, and its addresses. */
export interface ReadyPlace extends Disposable {
  readonly endpoint: Endpoint;
  readonly lease: Lease;
}

/**
 * The network that containers are on when nothing else is asked for: a bridge, and a stock of namespaces that are on it
 * already.
 *
 * What is in stock belongs to this process by its descriptors alone, so it goes when the process does, however that ends.
 * Disposing gives up the stock and leaves the bridge to the containers that run; `remove` takes it too.
 */
export class DefaultBridge implements AsyncDisposable {
  readonly info: BridgeInfo;
  /** For containers that join it beside other networks. */
  readonly network: BridgeNetwork;
  readonly #pool: ReadyPool<ReadyPlace>;
  readonly #stocked = new Set<string>();
  #closing: Promise<void> | undefined;

  /**
   * @throws {Fault} `invalid-argument` for name and subnet, `conflict` when bridge name or subnet are in use otherwise,
   * `resource-exhausted` when no subnet is free, `unavailable` when forwarding cannot be switched on.
   */
  static async open(options: DefaultBridgeOptions): Promise<DefaultBridge> {
    const { bridge, firewall, reserved, nextHostInterface, log } = options;
    const { mtu = 1500, interContainer = true, masquerade = true } = options;
    using _untilItIsThere = await lockSubnets();
    const { prefix, gateway } = subnetFor(options);
    const range = rangeIn(prefix, options.range);
    const six = options.subnet6 === undefined ? undefined : parseSubnet6(options.subnet6);
    const network = await BridgeNetwork.open({
      bridge,
      subnets: [
        { prefix, gateway, ...(range && { range }), mode: "nat", masquerade },
        ...(six ? [{ ...six, mode: "nat" as const, masquerade }] : []),
      ],
      mtu,
      internal: false,
      interContainer,
      firewall,
      reserved,
      nextHostInterface,
    });
    const info = {
      bridge,
      subnet: formatPrefix(prefix),
      gateway: formatIp(gateway),
      ...(six && { ipv6: { subnet: formatPrefix(six.prefix), gateway: formatIp(six.gateway) } }),
      ...(range && { range: formatPrefix(range) }),
      prefixLength: prefix.length,
      mtu,
      interContainer,
      masquerade,
    };
    log.debug("bridge ready", { ...info });
    return new DefaultBridge(network, { ...options, info });
  }

  private constructor(network: BridgeNetwork, options: DefaultBridgeOptions & { readonly info: BridgeInfo }) {
    const { info, poolSize = 16, log } = options;
    this.info = info;
    this.network = network;
    this.#pool = new ReadyPool({
      size: poolSize,
      concurrency: 2,
      refillDelayMs: 50,
      make: () => this.#create(network.lease()),
      discard: ({ endpoint, lease }) => {
        this.#stocked.delete(endpoint.hostInterface);
        endpoint.dispose();
        network.release(lease);
      },
      onError: (error) => log.warn("cannot make a network namespace ahead", { error, bridge: info.bridge }),
    });
  }

  /**
   * A place on the network, from the stock, or made when that is empty. The caller disposes it once the namespace has
   * another holder, and releases the lease when the container is gone.
   *
   * @throws {Fault} `resource-exhausted` when all addresses are in use; `unavailable` after dispose.
   */
  async acquire(options: { readonly signal?: AbortSignal } = {}): Promise<ReadyPlace> {
    if (this.#closing !== undefined) throw networkFaults.CLOSED();
    const place = await this.#pool.acquire(options.signal);
    this.#stocked.delete(place.endpoint.hostInterface);
    return place;
  }

  /** Put the bridge back: `hostInterfaces` are those of containers that run. */
  async restore(hostInterfaces: readonly string[]): Promise<void> {
    await this.network.restore([...hostInterfaces, ...this.#stocked]);
  }

  /** Close what is in stock; the bridge stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  /** Dispose, and remove the bridge. Containers that still run lose their network. */
  async remove(): Promise<void> {
    this.#closing ??= this.#pool[Symbol.asyncDispose]();
    await this.#closing;
    await this.network.remove();
  }

  async #close(): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
  }

  async #create(lease: Lease): Promise<ReadyPlace> {
    try {
      const endpoint = await this.network.createEndpoint(lease);
      this.#stocked.add(endpoint.hostInterface);
      return { endpoint, lease, [Symbol.dispose]: () => endpoint.dispose() };
    } catch (error) {
      this.network.release(lease);
      throw error;
    }
  }
}

/** `172.30.5.0/24` → `172.30.5.1/24` */
function firstAddressOf(range: string): string {
  const prefix = requirePrefix(range);
  return `${formatIp({ family: prefix.family, value: prefix.first + 1n })}/${prefix.length}`;
}

function rangeIn(prefix: IpPrefix, text: string | undefined): IpPrefix | undefined {
  if (text === undefined) return undefined;
  const range = requirePrefix(text);
  const isInside = range.length >= prefix.length && prefixesOverlap(range, prefix);
  if (!isInside) throw networkFaults.RANGE_OUTSIDE(text, formatPrefix(prefix));
  return range;
}

/** The wanted subnet, or the one that the bridge has, or a free one. */
function subnetFor({ bridge, subnet, range, avoid, pools = [], preferred }: DefaultBridgeOptions): Subnet {
  const existing = findLink(bridge);
  const routes = hostRoutes()
    .filter(({ outIndex }) => existing === undefined || outIndex !== existing.index)
    .map(({ destination }) => destination);
  const wanted = subnet ?? (range === undefined ? undefined : firstAddressOf(range));
  if (wanted !== undefined) {
    const parsed = parseSubnet(wanted);
    checkSubnet(parsed.prefix, { routes });
    return parsed;
  }
  const kept = hostAddresses().find(
    ({ index, address }) => index === existing?.index && address.family === 4,
  );
  if (kept !== undefined) {
    const prefix = prefixOf(kept.address, kept.prefixLength);
    if (kept.address.value !== lastOf(prefix)) return { prefix, gateway: kept.address };
  }
  const prefix = choosePrefix({
    routes,
    pools,
    ...(preferred !== undefined && { preferred }),
    networks: (avoid?.networks ?? []).flatMap((text) => prefixOfText(text) ?? []),
    addresses: (avoid?.addresses ?? []).flatMap((text) => parseIp(text) ?? []),
  });
  return { prefix, gateway: { family: 4, value: prefix.first + 1n } };
}

function prefixOfText(text: string) {
  const [host = "", length = ""] = text.split("/");
  const address = parseIp(host);
  return address && prefixOf(address, Number(length));
}
