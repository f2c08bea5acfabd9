import { closeSync } from "node:fs";
import { hostname } from "node:os";
import { Fault } from "@hawser/base";
import { openNamespaceOfProcess } from "@hawser/linux";
import {
  type BareNamespacePool,
  type DefaultBridge,
  hasDefaultRoute,
  type Lease,
  type NamedNamespacePool,
  type NameServer,
  type PlugOptions,
  removeStrayInterfaces,
  unplug,
} from "@hawser/network";
import type { ContainerIndex } from "../containers/container-index.ts";
import { type ContainerRecord, hasProcess } from "../containers/container-record.ts";
import { containerFaults } from "../containers/faults.ts";
import type { RandomBytes } from "../containers/names.ts";
import { type Attachment, attachmentsOf, type EndpointRecord, parseNetworkMode } from "./attachment.ts";
import { parseBridgeOptions } from "./bridge-options.ts";
import { applySysctls, wantedInterfaceName } from "./endpoint-options.ts";
import { networkServiceFaults } from "./faults.ts";
import { chooseGateways } from "./gateway-choice.ts";
import { isPredefined, type NetworkRecord } from "./network-record.ts";
import type { NetworkService, PluggableNetwork } from "./network-service.ts";

/** What a container's start needs to know of its network. */
export interface NetworkPlace extends Disposable {
  /** `own`: a namespace of its own; `host`: the host's; `joined`: another container's. */
  readonly kind: "own" | "host" | "joined";
  /** The namespace, for `own` and `joined`; closed with this object. */
  readonly namespaceFd?: number;
  /** The container's networks, with its places on them. */
  readonly attachments: readonly Attachment[];
  /** The container whose namespace, hosts file and resolver are shared. */
  readonly joinedId?: string;
  /** Waits to be told what to serve, in that namespace; whoever takes it takes the descriptor as well. */
  readonly nameServer?: NameServer;
}

/** A network that a container is to be on. */
interface Membership {
  readonly attachment: Attachment;
  readonly network: NetworkRecord;
  /** Absent for `host` and `none`. */
  readonly pluggable?: PluggableNetwork;
}

/** Gives containers their places on networks, and takes them back. */
export class ContainerNetworks {
  readonly #networks: NetworkService;
  readonly #defaultBridge: DefaultBridge;
  readonly #bare: BareNamespacePool;
  readonly #named: NamedNamespacePool;
  readonly #randomBytes: RandomBytes;

  constructor(options: {
    readonly networks: NetworkService;
    readonly defaultBridge: DefaultBridge;
    readonly bare: BareNamespacePool;
    readonly named: NamedNamespacePool;
    readonly randomBytes: RandomBytes;
  }) {
    this.#networks = options.networks;
    this.#defaultBridge = options.defaultBridge;
    this.#bare = options.bare;
    this.#named = options.named;
    this.#randomBytes = options.randomBytes;
  }

  /**
   * The host name of a container that shares somebody else's network: the host's, or the other container's; `undefined`
   * when it has its own.
   *
   * @throws {Fault} `invalid-argument` for a container that does not exist: Docker's clients would take `not-found` for a
   *   missing image.
   */
  sharedHostname(networkMode: string, index: ContainerIndex): string | undefined {
    const mode = parseNetworkMode(networkMode);
    if (mode.kind === "host") return hostname();
    if (mode.kind !== "container") return undefined;
    const other = index.find(mode.container);
    if (other === undefined) throw containerFaults.JOIN_UNKNOWN(mode.container);
    return other.record.config.hostname;
  }

  /** The address that `host-gateway` stands for. */
  get hostGateway(): string {
    return this.#defaultBridge.info.gateway;
  }

  /**
   * A place on its networks for a container that is about to start. The caller disposes it when the namespace has been
   * handed on; the addresses stay taken until `release`.
   *
   * @throws {Fault} `not-found` for a network or partner that is gone, `permission-denied` for a wanted address that is in use,
   *   `resource-exhausted`; nothing is left then.
   */
  async join(record: ContainerRecord, index: ContainerIndex): Promise<NetworkPlace> {
    const mode = parseNetworkMode(record.hostConfig.networkMode);
    if (mode.kind === "container") return joinOther(record, index, mode.container);
    const memberships = attachmentsOf(record).map((attachment) => this.#membershipOf(attachment));
    const [only] = memberships;
    if (mode.kind === "host") {
      return { kind: "host", attachments: memberships.map(asKnown), [Symbol.dispose]() {} };
    }
    const isPlain =
      only?.network.name === "bridge" &&
      memberships.length === 1 &&
      !only.attachment.wish.macAddress &&
      only.attachment.wish.linkLocalAddresses.length === 0 &&
      Object.keys(only.attachment.wish.driverOptions).length === 0;
    return isPlain ? await this.#joinDefault(only) : await this.#joinSeveral(memberships);
  }

  /**
   * Give a running container a place on one more network.
   *
   * @param options.taken its other places
   * @throws {Fault} as `join`
   */
  async connect(
    attachment: Attachment,
    options: { readonly pid: number; readonly taken: readonly Attachment[] },
  ): Promise<Attachment> {
    const membership = this.#membershipOf(attachment);
    if (membership.pluggable === undefined) return asKnown(membership);
    const all = [...options.taken, asKnown(membership)];
    const { ipv4, ipv6 } = chooseGateways(all, (name) => this.#networks.resolve(name));
    const isGateway = { ipv4: ipv4 === membership.network.name, ipv6: ipv6 === membership.network.name };
    using namespace = openNamespace(options.pid);
    const names = options.taken.map(({ endpoint }) => endpoint?.interfaceName ?? "");
    return await this.#plug(membership, {
      namespaceFd: namespace.fd,
      name: interfaceNameFor(membership, names),
      gateways: isGateway,
    });
  }

  /** Take a running container's place on a network away; the others' default route takes its place. */
  async disconnect(
    attachment: Attachment,
    options: { readonly pid: number; readonly left: readonly Attachment[] },
  ): Promise<void> {
    const { endpoint } = attachment;
    using namespace = openNamespace(options.pid);
    if (endpoint?.hostInterface !== undefined) await unplug(endpoint.hostInterface);
    else if (endpoint?.interfaceName !== undefined) await unplug(endpoint.interfaceName, namespace.fd);
    if (endpoint !== undefined) this.release([attachment]);
    await this.#routeThrough(options.left, namespace.fd);
  }

  /** Put right what an engine that died while a container came onto a network, or left it, has begun. */
  async repair(record: ContainerRecord): Promise<void> {
    if (!["bridge", "user"].includes(parseNetworkMode(record.hostConfig.networkMode).kind)) return;
    const attachments = attachmentsOf(record);
    const known = attachments.flatMap(({ endpoint }) => endpoint?.interfaceName ?? []);
    using namespace = openNamespace(record.state.pid);
    await removeStrayInterfaces(namespace.fd, known);
    if (!(await hasDefaultRoute(namespace.fd))) await this.#routeThrough(attachments, namespace.fd);
  }

  /** Let a container's way out be what its networks say. */
  async #routeThrough(attachments: readonly Attachment[], namespaceFd: number): Promise<void> {
    const { ipv4, ipv6 } = chooseGateways(attachments, (name) => this.#networks.resolve(name));
    const way = attachments.find(({ network }) => network === ipv4);
    const way6 = attachments.find(({ network }) => network === ipv6);
    for (const { endpoint: place, gateway } of [
      { endpoint: way?.endpoint, gateway: way?.endpoint?.gateway },
      { endpoint: way6?.endpoint, gateway: way6?.endpoint?.ipv6?.gateway },
    ]) {
      if (place?.interfaceName === undefined || gateway === undefined || gateway === "") continue;
      await this.#defaultBridge.network.routeThrough(gateway, {
        namespaceFd,
        name: place.interfaceName,
      });
    }
  }

  /** The container no longer runs, or is on these networks no longer: its addresses may be given to others. */
  release(attachments: readonly Attachment[]): void {
    for (const { networkId, network, endpoint } of attachments) {
      const record = endpoint && this.#networks.find(networkId || network);
      if (record === undefined || endpoint === undefined) continue;
      try {
        this.#networks.pluggableOf(record)?.release(leaseOf(endpoint));
      } catch (error) {
        if (!Fault.is(error, "unavailable")) throw error; // it could not be set up: nothing was given
      }
    }
  }

  async #joinDefault(membership: Membership): Promise<NetworkPlace> {
    const { endpoint, lease } = await this.#defaultBridge.acquire();
    const { hostInterface, interfaceName } = endpoint;
    const place = this.#endpointOf(lease, { hostInterface, interfaceName });
    return {
      kind: "own",
      namespaceFd: endpoint.namespaceFd,
      attachments: [{ ...asKnown(membership), endpoint: place }],
      [Symbol.dispose]: () => endpoint.dispose(),
    };
  }

  async #joinSeveral(memberships: readonly Membership[]): Promise<NetworkPlace> {
    const isNamed = memberships.some(({ network }) => !isPredefined(network.name));
    const { fd: namespaceFd, nameServer } = isNamed
      ? await this.#named.acquire()
      : { fd: await this.#bare.acquire(), nameServer: undefined };
    const dispose = () => {
      nameServer?.[Symbol.dispose]();
      closeSync(namespaceFd);
    };
    const known = memberships.map(asKnown);
    const gateways = chooseGateways(known, (name) => this.#networks.resolve(name));
    const attachments: Attachment[] = [];
    const names = memberships.flatMap(
      ({ attachment }) => wantedInterfaceName(attachment.wish.driverOptions) ?? [],
    );
    try {
      for (const membership of memberships) {
        if (membership.pluggable === undefined) {
          attachments.push(asKnown(membership));
          continue;
        }
        const { name: network } = membership.network;
        const name = interfaceNameFor(membership, names);
        names.push(name);
        attachments.push(
          await this.#plug(membership, {
            namespaceFd,
            name,
            gateways: { ipv4: gateways.ipv4 === network, ipv6: gateways.ipv6 === network },
          }),
        );
      }
    } catch (error) {
      this.release(attachments);
      dispose();
      throw error;
    }
    const base = { kind: "own", namespaceFd, attachments } as const;
    if (nameServer === undefined) return { ...base, [Symbol.dispose]: dispose };
    return { ...base, nameServer, [Symbol.dispose]() {} };
  }

  async #plug({ attachment, network, pluggable }: Membership, options: PlugOptions): Promise<Attachment> {
    if (pluggable === undefined) return { ...attachment, network: network.name, networkId: network.id };
    const { ipv4Address, ipv6Address, macAddress } = attachment.wish;
    const lease = leaseFrom(
      { network, pluggable },
      {
        ...(ipv4Address !== "" && { ipv4: ipv4Address }),
        ...(ipv6Address !== "" && { ipv6: ipv6Address }),
        ...(macAddress !== "" && { macAddress: macAddress.toLowerCase().replaceAll("-", ":") }),
      },
    );
    try {
      const { linkLocalAddresses: beside, driverOptions } = attachment.wish;
      const hostInterface = await pluggable.plug(lease, { ...options, beside });
      try {
        await applySysctls(driverOptions, options);
      } catch (error) {
        if (hostInterface !== undefined) await unplug(hostInterface);
        else await unplug(options.name, options.namespaceFd);
        throw error;
      }
      return {
        ...attachment,
        network: network.name,
        networkId: network.id,
        endpoint: this.#endpointOf(lease, {
          interfaceName: options.name,
          ...(hostInterface !== undefined && { hostInterface }),
        }),
      };
    } catch (error) {
      pluggable.release(lease);
      throw error;
    }
  }

  #membershipOf(attachment: Attachment): Membership {
    const { network: name, networkId } = attachment;
    // By its id where it was known: another may have been given the name since.
    const network = networkId === "" ? this.#networks.find(name) : this.#networks.find(networkId);
    if (network === undefined) throw networkServiceFaults.SETUP_MISSING(name);
    const pluggable = this.#networks.pluggableOf(network);
    return { attachment, network, ...(pluggable && { pluggable }) };
  }

  #endpointOf(
    lease: Lease,
    names: { readonly hostInterface?: string; readonly interfaceName: string },
  ): EndpointRecord {
    return {
      id: Buffer.from(this.#randomBytes(32)).toString("hex"),
      address: lease.ipv4?.address ?? "",
      prefixLength: lease.ipv4?.prefixLength ?? 0,
      gateway: lease.ipv4?.gateway ?? "",
      ...(lease.ipv6 && { ipv6: lease.ipv6 }),
      macAddress: lease.macAddress,
      ...names,
    };
  }
}

function joinOther(record: ContainerRecord, index: ContainerIndex, container: string): NetworkPlace {
  const other = index.resolve(container);
  if (other.id === record.id) throw containerFaults.NETWORK_CONTAINER_SELF();
  if (!hasProcess(other.record)) throw containerFaults.JOIN_NOT_RUNNING(other.id);
  const { fd, [Symbol.dispose]: dispose } = openNamespace(other.record.state.pid);
  return { kind: "joined", namespaceFd: fd, attachments: [], joinedId: other.id, [Symbol.dispose]: dispose };
}

function openNamespace(pid: number): { readonly fd: number } & Disposable {
  const fd = openNamespaceOfProcess(pid);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

function asKnown({ attachment, network }: Membership): Attachment {
  const { endpoint: _endpoint, ...rest } = attachment;
  return { ...rest, network: network.name, networkId: network.id };
}

function interfacePrefixOf(network: NetworkRecord): string {
  return parseBridgeOptions(network).interfacePrefix;
}

/** The one that was asked for, or the first of the network's kind that no other has. */
function interfaceNameFor({ attachment, network }: Membership, taken: readonly string[]): string {
  const wanted = wantedInterfaceName(attachment.wish.driverOptions);
  if (wanted !== undefined) return wanted;
  const prefix = interfacePrefixOf(network);
  for (let number = 0; ; number++) if (!taken.includes(`${prefix}${number}`)) return `${prefix}${number}`;
}

/** In Docker's words; of a wanted address that is taken it says only this. */
function leaseFrom(
  { network, pluggable }: { readonly network: NetworkRecord; readonly pluggable: PluggableNetwork },
  wanted: Parameters<PluggableNetwork["lease"]>[0],
): Lease {
  try {
    return pluggable.lease(wanted);
  } catch (error) {
    if (Fault.is(error, "conflict")) throw networkServiceFaults.ADDRESS_IN_USE().because(error);
    if (Fault.is(error, "resource-exhausted"))
      throw networkServiceFaults.ADDRESSES_EXHAUSTED(network.name, network.id).because(error);
    throw error;
  }
}

function leaseOf({ address, prefixLength, gateway, ipv6 }: EndpointRecord): Pick<Lease, "ipv4" | "ipv6"> {
  return { ...(address !== "" && { ipv4: { address, prefixLength, gateway } }), ...(ipv6 && { ipv6 }) };
}
