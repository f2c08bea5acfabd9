import { createHash } from "node:crypto";
import { closeSync } from "node:fs";
import type { Logger } from "@hawser/base";
import { openNamespaceOfProcess } from "@hawser/linux";
import { AddressPool } from "./address-pool.ts";
import { createEndpoint, type Endpoint } from "./endpoint.ts";
import { networkFaults } from "./faults.ts";
import { ensureHostBridge, type HostBridge, removeHostBridge } from "./host-bridge.ts";
import { formatIpv4, formatSubnet, parseIpv4 } from "./ipv4.ts";
import { applyNat, enableForwarding, removeNat } from "./nat.ts";
import { hostLinks } from "./netlink/host-network.ts";
import { ReadyPool } from "./ready-pool.ts";

export interface DefaultBridgeOptions {
  /** Name of the bridge interface; one bridge belongs to one engine. */
  readonly bridge: string;
  /** Gateway and prefix length, `172.30.0.1/16`; absent: what the bridge has, or else one that is free on this host. */
  readonly subnet?: string;
  /** Name of the nftables table, all of which is ours. */
  readonly table: string;
  /** Endpoints to hold ready. */
  readonly poolSize?: number;
  readonly mtu?: number;
  /** Addresses of containers that run already. */
  readonly reserved: readonly string[];
  readonly log: Logger;
  readonly signal?: AbortSignal;
}

export interface BridgeInfo {
  readonly bridge: string;
  /** `172.30.0.0/16` */
  readonly subnet: string;
  readonly gateway: string;
  readonly prefixLength: number;
  readonly mtu: number;
}

/**
 * The network that containers are on when nothing else is asked for: a bridge, its addresses, NAT to the outside, and a
 * stock of namespaces that are on it already.
 *
 * `open` finds the bridge and table of an engine that died and puts them right. What is in stock belongs to this process by
 * its descriptors alone, so it goes when the process does, however that ends. Disposing gives up the stock and leaves bridge
 * and table to the containers that run; `remove` takes these too.
 */
export class DefaultBridge implements AsyncDisposable {
  readonly info: BridgeInfo;
  readonly #table: string;
  readonly #addresses: AddressPool;
  readonly #hostNamespaceFd: number;
  readonly #pool: ReadyPool<Endpoint>;
  readonly #createAt: (address: number) => Promise<Endpoint>;
  readonly #creating = new Set<Promise<Endpoint>>();
  #closing: Promise<void> | undefined;

  /**
   * @throws {Fault} `invalid-argument` for names and subnet, `conflict` when bridge name or subnet are in use otherwise,
   * `resource-exhausted` when no subnet is free, `unavailable` when nft is missing or forwarding cannot be switched on.
   */
  static async open(options: DefaultBridgeOptions): Promise<DefaultBridge> {
    const { bridge, table, log, signal } = options;
    checkNames(bridge, table);
    const mtu = options.mtu ?? 1500;
    const [host, forwardingWasOff] = await Promise.all([
      ensureHostBridge({
        name: bridge,
        mtu,
        ...(options.subnet !== undefined && { subnet: options.subnet }),
      }),
      enableForwarding(),
    ]);
    if (forwardingWasOff) log.info("IP forwarding switched on");
    await applyNat({ table, bridge, subnet: host.subnet, ...(signal !== undefined && { signal }) });
    const opened = new DefaultBridge(host, { ...options, mtu });
    log.debug("bridge ready", { ...opened.info });
    return opened;
  }

  private constructor(host: HostBridge, options: DefaultBridgeOptions & { readonly mtu: number }) {
    const { log, mtu } = options;
    const { subnet } = host;
    this.info = {
      bridge: host.name,
      subnet: formatSubnet(subnet),
      gateway: formatIpv4(subnet.gateway),
      prefixLength: subnet.prefixLength,
      mtu,
    };
    this.#table = options.table;
    this.#addresses = new AddressPool(
      subnet,
      options.reserved.flatMap((address) => parseIpv4(address) ?? []),
    );
    this.#hostNamespaceFd = openNamespaceOfProcess("self");
    const nextHostInterface = hostInterfaceNames(host.name);
    this.#createAt = (address) =>
      createEndpoint({
        address,
        subnet,
        mtu,
        bridgeIndex: host.index,
        hostNamespaceFd: this.#hostNamespaceFd,
        nextHostInterface,
      });
    this.#pool = new ReadyPool({
      size: options.poolSize ?? 16,
      concurrency: 2,
      refillDelayMs: 50,
      make: () => this.#createReleasing(this.#addresses.take()),
      discard: (endpoint) => this.#discard(endpoint),
      onError: (error) => log.warn("cannot make a network namespace ahead", { error, bridge: host.name }),
    });
  }

  /**
   * A place on the network, from the stock, or made when that is empty. The caller disposes it once the namespace has
   * another holder, and releases the address when the container is gone.
   *
   * @throws {Fault} `resource-exhausted` when all addresses are in use; with `address`: `conflict` when that is in use,
   * `invalid-argument` when it is not of this network; `unavailable` after dispose.
   */
  async acquire(
    options: { readonly signal?: AbortSignal; readonly address?: string } = {},
  ): Promise<Endpoint> {
    const { address, signal } = options;
    if (address === undefined) return await this.#pool.acquire(signal);
    signal?.throwIfAborted();
    const ready = await this.#pool.takeIf((endpoint) => endpoint.address === address);
    if (this.#closing !== undefined) throw networkFaults.CLOSED();
    return ready ?? (await this.#createReleasing(this.#addresses.takeThis(address)));
  }

  /** The container is gone: its address may be given to another. Those released longest ago are given first. */
  release(address: string): void {
    const number = parseIpv4(address);
    if (number !== undefined) this.#addresses.release(number);
  }

  /** Close what is in stock; bridge and table stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  /** Dispose, and remove bridge and table. Containers that still run lose their network. */
  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await removeNat(this.#table);
    await removeHostBridge(this.info.bridge);
  }

  /** The host's namespace stays open for those that are being made. */
  async #close(): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
    await Promise.allSettled(this.#creating);
    closeSync(this.#hostNamespaceFd);
  }

  async #createReleasing(address: number): Promise<Endpoint> {
    const creating = this.#createAt(address);
    this.#creating.add(creating);
    try {
      return await creating;
    } catch (error) {
      this.#addresses.release(address);
      throw error;
    } finally {
      this.#creating.delete(creating);
    }
  }

  #discard(endpoint: Endpoint): void {
    endpoint.dispose();
    this.release(endpoint.address);
  }
}

/** Both go into a rule set and into kernel names, so they are held to what needs no quoting anywhere. */
function checkNames(bridge: string, table: string): void {
  if (!/^[A-Za-z0-9][\w.-]{0,14}$/.test(bridge)) {
    throw networkFaults.NAME_INVALID(
      "the name of a bridge",
      bridge,
      'up to 15 letters, digits, "_", "." or "-"',
    );
  }
  if (!/^[A-Za-z]\w{0,63}$/.test(table)) {
    throw networkFaults.NAME_INVALID(
      "the name of an nftables table",
      table,
      'up to 64 letters, digits or "_"',
    );
  }
}

/**
 * Names for the host's ends of veth pairs: `hw`, five characters that tell engines apart, and a number that begins above
 * those that an engine before us left.
 */
function hostInterfaceNames(bridge: string): () => string {
  const tag = createHash("sha256")
    .update(bridge)
    .digest()
    .readUInt32BE()
    .toString(36)
    .padStart(7, "0")
    .slice(-5);
  const prefix = `hw${tag}`;
  const used = hostLinks().flatMap(({ name }) =>
    name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 36) : [],
  );
  let next = Math.max(0, ...used.filter(Number.isSafeInteger)) + 1;
  return () => `${prefix}${(next++).toString(36)}`;
}
