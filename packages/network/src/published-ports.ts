import { existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { Fault, type Logger } from "@hawser/base";
import { networkFaults } from "./faults.ts";
import type { Firewall } from "./firewall.ts";
import type { RuleElement } from "./firewall-rules.ts";
import { forgetUdp, type UdpFilter } from "./netlink/conntrack.ts";
import { bracketed, canonicalIp, hasSctp, type PortReservation, reservePort } from "./port-reservation.ts";

/** Protocols that have ports which can be translated. */
export type Protocol = "tcp" | "udp" | "sctp";

/** A port of a container that the host is to offer. */
export interface PortRequest {
  readonly protocol: Protocol;
  readonly containerPort: number;
  /** Empty: all addresses, of both families. */
  readonly hostIp: string;
  /** The first that is free between these; absent: any of the host's ephemeral ports. */
  readonly hostPorts?: { readonly first: number; readonly last: number };
}

/** A port of the host that leads to one of a container: at one address, or `0.0.0.0` and `::` for all of a family. */
export interface PublishedPort {
  readonly protocol: Protocol;
  readonly containerPort: number;
  readonly hostIp: string;
  /** 0: none of the host's; the container's own port is open to all who have a route to it. */
  readonly hostPort: number;
}

/** Where a container is reached; the families that it has no address of are passed on by the engine. */
export interface PublishTarget {
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** Families of networks that are routed to: there, ports are opened rather than led to. */
  readonly direct?: readonly (4 | 6)[];
  /** Whether some interfaces' neighbours may ask at the container's own address, too. */
  readonly isTrusting?: boolean;
}

interface Publication {
  ports: readonly PublishedPort[];
  target: PublishTarget;
  /** What keeps each from others. */
  readonly kept: Map<PublishedPort, AsyncDisposableStack>;
}

/**
 * The ports of the host that lead to containers: each is an element of the rules, and a socket that keeps it from others.
 */
export class PublishedPorts implements AsyncDisposable {
  readonly #firewall: Pick<Firewall, "add" | "delete">;
  readonly #log: Logger;
  readonly #publications = new Map<string, Publication>();
  /** `tcp 8080` → the addresses at which it is taken. */
  readonly #taken = new Map<string, Set<string>>();
  #nextEphemeral = 0;

  constructor(options: { readonly firewall: Pick<Firewall, "add" | "delete">; readonly log: Logger }) {
    this.#firewall = options.firewall;
    this.#log = options.log;
  }

  /**
   * Publish the ports of a container: reserved when this returns; `ready` resolves when the rules lead there.
   *
   * @param owner the container
   * @throws {Fault} `unavailable` in Docker's words when a port is taken; nothing is left then.
   */
  async publish(
    owner: string,
    requests: readonly PortRequest[],
    target: PublishTarget,
  ): Promise<{ readonly ports: readonly PublishedPort[]; readonly ready: Promise<void> }> {
    await this.release(owner);
    const publication: Publication = { ports: [], target, kept: new Map() };
    this.#publications.set(owner, publication);
    try {
      const { ready } = await this.#add(requests, publication);
      return { ports: publication.ports, ready };
    } catch (error) {
      await this.release(owner);
      throw error;
    }
  }

  /**
   * Publish further ports of a container, and no longer some that it has: the others are not touched. `target` counts when it
   * has none yet.
   *
   * @throws {Fault} as `publish`; then everything is as before.
   */
  async change(
    owner: string,
    options: {
      readonly add: readonly PortRequest[];
      readonly isRemoved: (port: PublishedPort) => boolean;
      readonly target: PublishTarget;
    },
  ): Promise<readonly PublishedPort[]> {
    const { add, isRemoved, target } = options;
    const publication = this.#publications.get(owner) ?? { ports: [], target, kept: new Map() };
    this.#publications.set(owner, publication);
    const removed = publication.ports.filter(isRemoved);
    // First away: the same port of the host may lead elsewhere in the container from now on.
    await this.#remove(removed, publication);
    try {
      const { ready } = await this.#add(add, publication);
      await ready;
    } catch (error) {
      await this.#takeUp(removed, publication);
      throw error;
    }
    return publication.ports;
  }

  async #add(
    requests: readonly PortRequest[],
    publication: Publication,
  ): Promise<{ readonly ready: Promise<void> }> {
    const { target } = publication;
    const ports: PublishedPort[] = [];
    try {
      for (const request of requests) ports.push(...(await this.#reserve(request, publication)));
    } catch (error) {
      await this.#letGo(ports, publication);
      throw error;
    }
    publication.ports = [...publication.ports, ...ports];
    const ready = this.#firewall
      .add(elementsOf({ ports, target }))
      .then(() => this.#forgetStale({ ports, target }));
    ready.catch(() => {}); // whoever waits is told
    return { ready };
  }

  async #remove(ports: readonly PublishedPort[], publication: Publication): Promise<void> {
    const { target } = publication;
    publication.ports = publication.ports.filter((port) => !ports.includes(port));
    await this.#letGo(ports, publication);
    // What opens a port of a container's own is there once, however often the port is published.
    const kept = new Set(elementsOf(publication).map(({ set, key }) => `${set} ${key}`));
    const gone = elementsOf({ ports, target }).filter(({ set, key }) => !kept.has(`${set} ${key}`));
    await this.#firewall.delete(gone);
    await this.#forgetLed({ ports, target });
  }

  async #letGo(ports: readonly PublishedPort[], { kept }: Publication): Promise<void> {
    for (const port of ports) {
      const own = kept.get(port);
      kept.delete(port);
      await own?.disposeAsync();
    }
  }

  /** Publish ports exactly so; a socket that cannot be had is not missed, since the rules lead there. */
  async #takeUp(ports: readonly PublishedPort[], publication: Publication): Promise<void> {
    publication.ports = [...publication.ports, ...ports];
    for (const port of ports.filter(({ hostPort }) => hostPort !== 0)) {
      const own = new AsyncDisposableStack();
      publication.kept.set(port, own);
      this.#hold(port, own);
      try {
        own.use(await this.#open(port, publication));
      } catch (error) {
        this.#log.warn("another program has taken a published port", { port: port.hostPort, error });
      }
    }
    await this.#firewall.add(elementsOf({ ports, target: publication.target }));
  }

  /** Take up again what a former engine has published. */
  async restore(owner: string, ports: readonly PublishedPort[], target: PublishTarget): Promise<void> {
    const publication: Publication = { ports: [], target, kept: new Map() };
    this.#publications.set(owner, publication);
    await this.#takeUp(ports, publication);
  }

  /** The container has got another address. */
  async move(owner: string, target: PublishTarget): Promise<void> {
    const publication = this.#publications.get(owner);
    if (publication === undefined) return;
    if (publication.target.ipv4 === target.ipv4 && publication.target.ipv6 === target.ipv6) return;
    const before = { ...publication };
    await this.#firewall.delete(elementsOf(publication));
    publication.target = target;
    await this.#firewall.add(elementsOf(publication));
    await this.#forgetLed(before);
    await this.#forgetStale(publication);
  }

  /** The container no longer runs. */
  async release(owner: string): Promise<void> {
    const publication = this.#publications.get(owner);
    if (publication === undefined) return;
    this.#publications.delete(owner);
    await this.#remove(publication.ports, publication);
  }

  /** A client that has sent to a port of the host before it was published would never reach the container. */
  async #forgetStale({ ports, target }: Pick<Publication, "ports" | "target">): Promise<void> {
    const own = new Set(ownAddresses());
    await this.#forget(ports, ({ family, hostIp, inside }) => ({
      matches: ({ original, reply }) =>
        inside(target) !== undefined &&
        reply.source !== inside(target) &&
        (isAny(hostIp) ? own.has(original.destination) : original.destination === hostIp),
      family,
    }));
  }

  /** A client that goes on sending would reach who gets the container's address next. */
  async #forgetLed({ ports, target }: Pick<Publication, "ports" | "target">): Promise<void> {
    await this.#forget(ports, ({ family, containerPort, inside }) => ({
      matches: ({ reply }) => reply.source === inside(target) && reply.sourcePort === containerPort,
      family,
    }));
  }

  async #forget(
    ports: readonly PublishedPort[],
    filterOf: (port: {
      readonly family: 4 | 6;
      readonly hostIp: string;
      readonly containerPort: number;
      readonly inside: (target: PublishTarget) => string | undefined;
    }) => Pick<UdpFilter, "family" | "matches">,
  ): Promise<void> {
    for (const { protocol, hostIp, hostPort, containerPort } of ports) {
      if (protocol !== "udp" || hostPort === 0) continue;
      const family = familyOf(hostIp);
      const inside = (target: PublishTarget) => (family === 6 ? target.ipv6 : target.ipv4);
      try {
        await forgetUdp({ port: hostPort, ...filterOf({ family, hostIp, containerPort, inside }) });
      } catch (error) {
        this.#log.warn("cannot end UDP connections of before", { port: hostPort, error });
      }
    }
  }

  /** Give the sockets up; the rules stay for containers that run. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#publications.values()];
    this.#publications.clear();
    await Promise.all(all.flatMap(({ kept }) => [...kept.values()]).map((own) => own.disposeAsync()));
  }

  async #reserve(request: PortRequest, publication: Publication): Promise<readonly PublishedPort[]> {
    const { protocol, containerPort, hostIp, hostPorts } = request;
    const all = hostIp === "" ? reachableFrom(publication.target) : [canonicalIp(hostIp) ?? hostIp];
    const isDirect = (address: string) => publication.target.direct?.includes(familyOf(address)) === true;
    const direct = all
      .filter(isDirect)
      .map((address) => ({ protocol, containerPort, hostIp: address, hostPort: 0 }));
    const addresses = all.filter((address) => !isDirect(address));
    if (addresses.length === 0) return direct;
    if (protocol === "sctp" && !hasSctp()) throw networkFaults.SCTP_UNSUPPORTED(String(containerPort));
    let failure: Fault | undefined;
    for (const hostPort of hostPorts === undefined ? this.#ephemeral() : between(hostPorts)) {
      const wanted = addresses.map((address) => ({ protocol, containerPort, hostIp: address, hostPort }));
      try {
        await this.#reserveAll(wanted, publication);
        return [...wanted, ...direct];
      } catch (error) {
        if (!Fault.is(error, "unavailable")) throw error;
        failure = Fault.from(error);
      }
    }
    throw failure ?? networkFaults.PORTS_EXHAUSTED();
  }

  /** The same port at several addresses, or at none. */
  async #reserveAll(wanted: readonly PublishedPort[], publication: Publication): Promise<void> {
    const taken = new Map<PublishedPort, AsyncDisposableStack>();
    try {
      for (const port of wanted) {
        const holder = this.#conflictOf(port);
        if (holder !== undefined)
          throw networkFaults.PORT_ALLOCATED(bracketed(holder), String(port.hostPort));
        const own = new AsyncDisposableStack();
        taken.set(port, own);
        this.#hold(port, own);
        own.use(await this.#openOrTell(port, publication));
      }
    } catch (error) {
      for (const own of taken.values()) await own.disposeAsync();
      throw error;
    }
    for (const [port, own] of taken) publication.kept.set(port, own);
  }

  async #openOrTell(port: PublishedPort, publication: Publication): Promise<PortReservation> {
    try {
      return await this.#open(port, publication);
    } catch (error) {
      const { hostIp, hostPort, protocol, containerPort } = port;
      const { ipv4, ipv6 } = publication.target;
      const inside = hostIp.includes(":") ? (ipv6 ?? ipv4) : ipv4;
      throw networkFaults
        .PORT_BIND(
          `${bracketed(hostIp)}:${hostPort}:${bracketed(inside ?? "")}:${containerPort}/${protocol}`,
          Fault.from(error).message,
        )
        .because(error);
    }
  }

  async #open(port: PublishedPort, publication: Publication): Promise<PortReservation> {
    return await reservePort({
      protocol: port.protocol,
      hostIp: port.hostIp,
      port: port.hostPort,
      target: () => {
        const { ipv4, ipv6 } = publication.target;
        const address = port.hostIp.includes(":") ? (ipv6 ?? ipv4) : ipv4;
        return address === undefined ? undefined : { address, port: port.containerPort };
      },
    });
  }

  /** The address at which the port is another container's already. */
  #conflictOf({ protocol, hostPort, hostIp }: PublishedPort): string | undefined {
    const addresses = this.#taken.get(`${protocol} ${hostPort}`) ?? [];
    const isIpv6 = hostIp.includes(":");
    for (const other of addresses) {
      if (other.includes(":") !== isIpv6) continue;
      if (other === hostIp || isAny(other) || isAny(hostIp)) return other;
    }
    return undefined;
  }

  #hold(port: PublishedPort, own: AsyncDisposableStack): void {
    const key = `${port.protocol} ${port.hostPort}`;
    const addresses = this.#taken.get(key) ?? new Set();
    this.#taken.set(key, addresses.add(port.hostIp));
    own.defer(() => {
      addresses.delete(port.hostIp);
      if (addresses.size === 0 && this.#taken.get(key) === addresses) this.#taken.delete(key);
    });
  }

  /** The host's ephemeral ports, each once, from where the last search ended. */
  *#ephemeral(): Generator<number> {
    const text = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
    const [first = 32_768, last = 60_999] = text.trim().split(/\s+/).map(Number);
    if (this.#nextEphemeral < first || this.#nextEphemeral > last) this.#nextEphemeral = first;
    for (let tried = first; tried <= last; tried++) {
      const port = this.#nextEphemeral;
      this.#nextEphemeral = port === last ? first : port + 1;
      yield port;
    }
  }
}

function* between({ first, last }: { readonly first: number; readonly last: number }): Generator<number> {
  for (let port = first; port <= last; port++) yield port;
}

function isAny(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

function familyOf(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

/** Addresses of the host itself. */
function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address));
}

/** All addresses of the host, by family: `::` where the host has IPv6, `0.0.0.0` where the container has not that alone. */
function reachableFrom({ ipv4, ipv6 }: PublishTarget): readonly string[] {
  const hasIpv6 = existsSync("/proc/net/if_inet6");
  const isIpv6Only = ipv4 === undefined && ipv6 !== undefined;
  return [...(isIpv6Only ? [] : ["0.0.0.0"]), ...(hasIpv6 ? ["::"] : [])];
}

function elementsOf({ ports, target }: Pick<Publication, "ports" | "target">): readonly RuleElement[] {
  return ports.flatMap(({ protocol, hostIp, hostPort, containerPort }): RuleElement[] => {
    const family = familyOf(hostIp);
    const address = family === 6 ? target.ipv6 : target.ipv4;
    if (address === undefined) return [];
    if (hostPort === 0) return [{ set: `open${family}`, key: `${address} . ${protocol} . ${containerPort}` }];
    const key = `${protocol} . ${hostPort}`;
    const value = `${address} . ${containerPort}`;
    return [
      isAny(hostIp)
        ? { set: `published${family}`, key, value }
        : { set: `published${family}_at`, key: `${hostIp} . ${key}`, value },
      ...(target.isTrusting
        ? [{ set: `direct${family}` as const, key: `${address} . ${protocol} . ${containerPort}` }]
        : []),
    ];
  });
}
