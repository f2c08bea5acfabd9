import { Fault, KeyedMutex, type Logger } from "@hawser/base";
import {
  type BridgeNetwork,
  type ChildNetwork,
  type DefaultBridge,
  type Firewall,
  hostRoutePrefixes,
  lockSubnets,
  parseIp,
  planParentLink,
  type SubnetPool,
  type Surroundings,
} from "@hawser/network";
import type { EventBus } from "../events/event-bus.ts";
import type { NetworkTable } from "../state/network-table.ts";
import type { ReachEngineStep } from "../steps.ts";
import type { EndpointRecord } from "./attachment.ts";
import { parseBridgeOptions } from "./bridge-options.ts";
import { networkServiceFaults } from "./faults.ts";
import { isPredefined, type NetworkDriver, type NetworkRecord } from "./network-record.ts";
import { openBridgeNetwork } from "./open-bridge-network.ts";
import { openChildNetwork, parentOf } from "./open-child-network.ts";
import { checkSubnets, planSubnets, prefixesOf, type SubnetRequest } from "./plan-network.ts";
import { predefinedRecords } from "./predefined.ts";

export interface NetworkRequest {
  readonly name: string;
  /** Empty: `bridge`. */
  readonly driver: string;
  readonly scope: string;
  readonly enableIpv4: boolean;
  readonly enableIpv6: boolean;
  readonly ipamDriver: string;
  readonly ipamOptions: Readonly<Record<string, string>>;
  readonly subnets: readonly SubnetRequest[];
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly ingress: boolean;
  readonly configOnly: boolean;
  readonly configFrom: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** A container that is on a network. */
export interface NetworkMember {
  readonly containerId: string;
  readonly containerName: string;
  readonly endpoint: EndpointRecord;
}

/** What containers get their interfaces from. */
export type PluggableNetwork = BridgeNetwork | ChildNetwork;

export interface NetworkServiceParts {
  readonly table: NetworkTable;
  readonly firewall: Firewall;
  readonly defaultBridge: DefaultBridge;
  /** The host's address for the default bridge's published ports that name none. */
  readonly hostBinding: string;
  /** Where subnets of new networks are from; none: what is free on the host. */
  readonly pools: readonly SubnetPool[];
  readonly nextHostInterface: () => string;
  readonly events: EventBus;
  /** Containers with a place on a network. */
  readonly membersOf: (networkId: string) => readonly NetworkMember[];
  /** The name servers that the host asks, which a new network must not hide. */
  readonly readResolvers: () => Promise<readonly string[]>;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly reach: ReachEngineStep;
  readonly log: Logger;
}

/**
 * All networks, by name, id and id prefix; the only writer of their table. A row is written before its bridge is made and
 * goes after it, so that an engine that dies in between leaves a row whose bridge the next one makes: no bridge is ever
 * without one.
 */
export class NetworkService implements AsyncDisposable {
  readonly #parts: NetworkServiceParts;
  readonly #records = new Map<string, NetworkRecord>();
  readonly #pluggables = new Map<string, PluggableNetwork>();
  /** Why a network of a former engine could not be set up. */
  readonly #broken = new Map<string, string>();
  /** Names that are being made. */
  readonly #locks = new KeyedMutex();

  private constructor(parts: NetworkServiceParts) {
    this.#parts = parts;
  }

  /** Find the networks again; one that cannot be set up is told of in the log, and to who wants to use it. */
  static async open(parts: NetworkServiceParts): Promise<NetworkService> {
    const service = new NetworkService(parts);
    const { table, defaultBridge, log } = parts;
    for (const record of predefinedRecords(defaultBridge.info, {
      createdAtMs: parts.now(),
      hostBinding: parts.hostBinding,
    })) {
      service.#records.set(record.id, record);
      if (record.driver === "bridge") service.#pluggables.set(record.id, defaultBridge.network);
    }
    await Promise.all(
      table.list().map(async (record) => {
        service.#records.set(record.id, record);
        try {
          await service.#setUp(record);
        } catch (error) {
          const { message } = Fault.from(error);
          service.#broken.set(record.id, message);
          log.error("cannot set up a network", { network: record.name, error });
        }
      }),
    );
    return service;
  }

  /** Newest first, the predefined ones in between, as they were made. */
  list(): readonly NetworkRecord[] {
    return [...this.#records.values()];
  }

  /**
   * The network that a user means by name, id or the start of an id; a whole name or id wins.
   *
   * @throws {Fault} `not-found`, or `invalid-argument` when a prefix fits several.
   */
  resolve(nameOrId: string): NetworkRecord {
    const found = this.find(nameOrId);
    if (found === undefined) throw networkServiceFaults.NO_SUCH_NETWORK(nameOrId);
    return found;
  }

  find(nameOrId: string): NetworkRecord | undefined {
    const wanted = nameOrId === "default" ? "bridge" : nameOrId;
    const exact = this.#records.get(wanted) ?? this.list().find(({ name }) => name === wanted);
    if (exact !== undefined || wanted === "") return exact;
    const fitting = this.list().filter(({ id }) => id.startsWith(wanted));
    if (fitting.length > 1) throw networkServiceFaults.NETWORK_AMBIGUOUS(wanted, fitting.length);
    return fitting[0];
  }

  /** Containers that have a place on it. */
  membersOf({ id }: NetworkRecord): readonly NetworkMember[] {
    return this.#parts.membersOf(id);
  }

  /**
   * What containers get their interfaces from; `undefined` for `host` and `none`.
   *
   * @throws {Fault} `permission-denied` for a template, `unavailable` when it could not be set up.
   */
  pluggableOf(record: NetworkRecord): PluggableNetwork | undefined {
    if (record.configOnly) throw networkServiceFaults.CONFIG_ONLY(record.name);
    const why = this.#broken.get(record.id);
    if (why !== undefined) throw networkServiceFaults.NETWORK_UNUSABLE(record.name, why);
    return this.#pluggables.get(record.id);
  }

  /** @throws {Fault} `conflict` for the name, `invalid-argument`, `permission-denied`, `not-found`: Docker's words */
  async create(request: NetworkRequest): Promise<NetworkRecord> {
    checkRequest(request);
    // One at a time, also among the engines of this host: each must see the subnets and bridges of those before it.
    return await this.#locks.run("create", async () => {
      using _untilItIsThere = await lockSubnets();
      if (this.list().some(({ name }) => name === request.name)) {
        throw networkServiceFaults.NETWORK_EXISTS(request.name);
      }
      const record = await this.#plan(this.#withTemplate(request));
      this.#parts.table.put(record);
      this.#parts.reach("network.recorded");
      try {
        await this.#setUp(record);
        this.#parts.reach("network.made");
      } catch (error) {
        this.#parts.table.remove(record.id);
        throw error;
      }
      this.#records.set(record.id, record);
      this.#publish(record, "create");
      return record;
    });
  }

  /** @throws {Fault} `permission-denied` for predefined networks and those that are in use, in Docker's words */
  async remove(record: NetworkRecord): Promise<void> {
    const { id, name } = record;
    if (isPredefined(name)) throw networkServiceFaults.NETWORK_PREDEFINED_REMOVE(name);
    if (record.configOnly && this.list().some(({ configFrom }) => configFrom === name)) {
      throw networkServiceFaults.CONFIG_NETWORK_IN_USE(name);
    }
    const members = this.membersOf(record).map(
      ({ containerName, endpoint }) =>
        `name:${JSON.stringify(containerName)} id:${JSON.stringify(endpoint.id.slice(0, 12))}`,
    );
    if (members.length > 0) throw networkServiceFaults.NETWORK_IN_USE(name, members.join(", "));
    if (!this.#records.delete(id)) throw networkServiceFaults.NO_SUCH_NETWORK(name);
    const bridge = this.#pluggables.get(id);
    this.#pluggables.delete(id);
    this.#broken.delete(id);
    await bridge?.remove({ withParent: record.madeParent !== undefined && !this.#passParentOn(record) });
    this.#parts.reach("network.unmade");
    this.#parts.table.remove(id);
    this.#parts.reach("network.forgotten");
    this.#publish(record, "destroy");
  }

  /** Remove the networks that no container, running or not, is on. Returns their names. */
  async prune(
    wanted: (record: NetworkRecord) => boolean,
    isUsed: (record: NetworkRecord) => boolean,
  ): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const record of this.list()) {
      if (isPredefined(record.name) || record.configOnly || isUsed(record) || !wanted(record)) continue;
      try {
        await this.remove(record);
        removed.push(record.name);
      } catch (error) {
        if (!Fault.is(error, "permission-denied") && !Fault.is(error, "not-found")) throw error;
      }
    }
    this.#parts.events.publish({
      type: "network",
      action: "prune",
      actor: { id: "", attributes: { reclaimed: "0" } },
    });
    return removed;
  }

  /**
   * Put back a bridge that somebody has deleted, with the interfaces of the containers on it.
   *
   * @param deleted the interface that is gone; `undefined`: any may be
   */
  async restore(deleted: string | undefined): Promise<void> {
    const { defaultBridge, log } = this.#parts;
    for (const [id, bridge] of this.#pluggables) {
      if (deleted !== undefined && bridge.bridge !== deleted) continue;
      const interfaces = this.#parts.membersOf(id).flatMap(({ endpoint }) => endpoint.hostInterface ?? []);
      try {
        if (bridge === defaultBridge.network) await defaultBridge.restore(interfaces);
        else await bridge.restore(interfaces);
        if (deleted !== undefined)
          log.info("put back a bridge that somebody has deleted", { bridge: deleted });
      } catch (error) {
        log.error("cannot put back a bridge", { bridge: bridge.bridge, error });
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { network } = this.#parts.defaultBridge;
    const own = [...this.#pluggables.values()].filter((bridge) => bridge !== network);
    await Promise.all(own.map((bridge) => bridge[Symbol.asyncDispose]()));
  }

  async #setUp(record: NetworkRecord): Promise<void> {
    const { driver } = record;
    if (record.configOnly || driver === "host" || driver === "null") return;
    const { firewall, nextHostInterface } = this.#parts;
    const reserved = this.membersOf(record).flatMap(({ endpoint }) => [
      ...(endpoint.address === "" ? [] : [endpoint.address]),
      ...(endpoint.ipv6 ? [endpoint.ipv6.address] : []),
    ]);
    const network =
      driver === "bridge"
        ? await openBridgeNetwork(record, { firewall, nextHostInterface, reserved })
        : await openChildNetwork(record, { kind: driver, reserved });
    this.#pluggables.set(record.id, network);
  }

  async #plan(request: NetworkRequest): Promise<NetworkRecord> {
    const driver = (request.configOnly ? "null" : request.driver || "bridge") as NetworkDriver;
    const base = {
      id: Buffer.from(this.#parts.randomBytes(32)).toString("hex"),
      name: request.name,
      createdAtMs: this.#parts.now(),
      driver,
      enableIpv4: request.enableIpv4,
      enableIpv6: request.enableIpv6,
      ...(Object.keys(request.ipamOptions).length > 0 && { ipamOptions: request.ipamOptions }),
      internal: request.internal,
      attachable: request.attachable,
      configOnly: request.configOnly,
      configFrom: request.configFrom,
      options: request.options,
      labels: request.labels,
    };
    if (request.configOnly) return { ...base, subnets: request.subnets.map(withoutEmpty) };
    const bridge = driver === "bridge" ? parseBridgeOptions(base).bridge : "";
    const other =
      bridge === ""
        ? undefined
        : this.list().find((record) => this.#pluggables.get(record.id)?.bridge === bridge);
    if (other !== undefined) throw networkServiceFaults.BRIDGE_NAME_TAKEN(base.id, bridge, other.id);
    const planned = planSubnets(
      {
        subnets: request.subnets,
        driver,
        ipv4: request.enableIpv4,
        ipv6: request.enableIpv6,
        randomBytes: this.#parts.randomBytes,
      },
      await this.#surroundings(bridge),
    );
    const madeParent = hasParent({ driver }) ? planParentLink(request.options["parent"] ?? "") : undefined;
    return { ...base, ...planned, ...(madeParent && { madeParent }) };
  }

  /** What a new network must keep clear of; the routes of its own bridge, which a former network may have left, are none. */
  async #surroundings(bridge: string): Promise<Surroundings> {
    return {
      routes: hostRoutePrefixes({ except: bridge }),
      networks: this.list().flatMap((record) => (record.configOnly ? [] : prefixesOf(record))),
      addresses: (await this.#parts.readResolvers()).flatMap((text) => parseIp(text) ?? []),
      pools: this.#parts.pools,
    };
  }

  /** Whether another network is on the parent that was made for one: it is that one's from now on. */
  #passParentOn(record: NetworkRecord): boolean {
    const { madeParent } = record;
    const heir = this.list().find((other) => hasParent(other) && parentOf(other) === parentOf(record));
    if (heir === undefined) return false;
    const owner = { ...heir, ...(madeParent && { madeParent }) };
    this.#records.set(heir.id, owner);
    this.#parts.table.put(owner);
    return true;
  }

  #withTemplate(request: NetworkRequest): NetworkRequest {
    if (request.configFrom === "") return request;
    const template = this.list().find(({ name, configOnly }) => configOnly && name === request.configFrom);
    if (template === undefined) throw networkServiceFaults.CONFIG_NETWORK_MISSING(request.configFrom);
    const refuse = (what: string) => networkServiceFaults.CONFIG_NETWORK_OPTIONS(what);
    if (request.subnets.length > 0) throw refuse("ipam configurations");
    if (Object.keys(request.options).length > 0) throw refuse("network driver options");
    return {
      ...request,
      enableIpv4: template.enableIpv4,
      enableIpv6: template.enableIpv6,
      options: template.options,
      labels: { ...template.labels, ...request.labels },
      internal: request.internal || template.internal,
      subnets: template.subnets.map(({ subnet, ipRange = "", gateway = "", auxiliaryAddresses = {} }) => ({
        subnet,
        ipRange,
        gateway,
        auxiliaryAddresses,
      })),
    };
  }

  #publish({ id, name, driver }: NetworkRecord, action: "create" | "destroy"): void {
    this.#parts.events.publish({
      type: "network",
      action,
      actor: { id, attributes: { name, type: driver } },
    });
  }
}

const drivers: ReadonlySet<string> = new Set(["", "bridge", "macvlan", "ipvlan"]);

function checkRequest(request: NetworkRequest): void {
  const { name, driver, scope, ipamDriver } = request;
  if (name.trim() === "") throw networkServiceFaults.NETWORK_NAME_EMPTY();
  if (isPredefined(name)) throw networkServiceFaults.NETWORK_PREDEFINED_CREATE(name);
  if (request.ingress) throw networkServiceFaults.INGRESS_SCOPE();
  if (driver === "overlay") throw networkServiceFaults.SWARM_MANAGER_NEEDED();
  if (scope !== "" && scope !== "local") throw networkServiceFaults.SWARM_NEEDED();
  if (!request.enableIpv4 && !request.enableIpv6) throw networkServiceFaults.NO_FAMILY();
  if (driver === "host" || driver === "null" || driver === "none")
    throw networkServiceFaults.DRIVER_ONCE(driver);
  if (!drivers.has(driver)) throw networkServiceFaults.DRIVER_UNKNOWN(driver);
  if (ipamDriver !== "" && ipamDriver !== "default") throw networkServiceFaults.DRIVER_UNKNOWN(ipamDriver);
  if (request.configOnly && (request.internal || request.attachable))
    throw networkServiceFaults.CONFIG_ONLY_OPTIONS();
  checkSubnets(request.subnets, { ipv6: request.enableIpv6 });
}

function withoutEmpty({ subnet, ipRange, gateway, auxiliaryAddresses }: SubnetRequest) {
  return {
    subnet,
    ...(ipRange !== "" && { ipRange }),
    ...(gateway !== "" && { gateway }),
    ...(Object.keys(auxiliaryAddresses).length > 0 && { auxiliaryAddresses }),
  };
}

/** Whether its interfaces are beside a link of the host's. */
function hasParent({ driver }: Pick<NetworkRecord, "driver">): boolean {
  return driver === "macvlan" || driver === "ipvlan";
}
