import { existsSync, readFileSync } from "node:fs";
import { Fault, type Logger } from "@hawser/base";
import { networkFaults } from "./faults.ts";
import type { Firewall } from "./firewall.ts";
import type { RuleElement } from "./firewall-rules.ts";
import { bracketed, canonicalIp, type PortReservation, reservePort } from "./port-reservation.ts";

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

export interface PublishedPort {
  readonly protocol: Protocol;
  readonly containerPort: number;
  readonly hostIp: string;
  readonly hostPort: number;
}

/** Where a container is reached; the families that it has no address of are passed on by the engine. */
export interface PublishTarget {
  readonly ipv4?: string;
  readonly ipv6?: string;
}

interface Publication {
  ports: readonly PublishedPort[];
  target: PublishTarget;
  reservations: AsyncDisposableStack;
}

/**
 * The ports of the host that lead to containers: each is an element of the rules, and a socket that keeps it from others.
 */
export class PublishedPorts implements AsyncDisposable {
  readonly #firewall: Firewall;
  readonly #log: Logger;
  readonly #publications = new Map<string, Publication>();
  /** `tcp 8080` → the addresses at which it is taken. */
  readonly #taken = new Map<string, Set<string>>();
  #nextEphemeral = 0;

  constructor(options: { readonly firewall: Firewall; readonly log: Logger }) {
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
    const publication: Publication = { ports: [], target, reservations: new AsyncDisposableStack() };
    this.#publications.set(owner, publication);
    try {
      const ports: PublishedPort[] = [];
      for (const request of requests) ports.push(...(await this.#reserve(request, publication)));
      publication.ports = ports;
    } catch (error) {
      await this.release(owner);
      throw error;
    }
    const ready = this.#firewall.add(elementsOf(publication));
    ready.catch(() => {}); // whoever waits is told
    return { ports: publication.ports, ready };
  }

  /** Take up again what a former engine has published. A socket that cannot be had is not missed: the rules lead there. */
  async restore(owner: string, ports: readonly PublishedPort[], target: PublishTarget): Promise<void> {
    const publication: Publication = { ports, target, reservations: new AsyncDisposableStack() };
    this.#publications.set(owner, publication);
    for (const port of ports) {
      this.#hold(port, publication);
      try {
        publication.reservations.use(await this.#open(port, publication));
      } catch (error) {
        this.#log.warn("another program has taken a published port", { port: port.hostPort, error });
      }
    }
    await this.#firewall.add(elementsOf(publication));
  }

  /** The container has got another address. */
  async move(owner: string, target: PublishTarget): Promise<void> {
    const publication = this.#publications.get(owner);
    if (publication === undefined) return;
    if (publication.target.ipv4 === target.ipv4 && publication.target.ipv6 === target.ipv6) return;
    await this.#firewall.delete(elementsOf(publication));
    publication.target = target;
    await this.#firewall.add(elementsOf(publication));
  }

  /** The container no longer runs. */
  async release(owner: string): Promise<void> {
    const publication = this.#publications.get(owner);
    if (publication === undefined) return;
    this.#publications.delete(owner);
    await publication.reservations.disposeAsync();
    await this.#firewall.delete(elementsOf(publication));
  }

  /** Give the sockets up; the rules stay for containers that run. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#publications.values()];
    this.#publications.clear();
    await Promise.all(all.map(({ reservations }) => reservations.disposeAsync()));
  }

  async #reserve(request: PortRequest, publication: Publication): Promise<readonly PublishedPort[]> {
    const { protocol, containerPort, hostIp, hostPorts } = request;
    const addresses = hostIp === "" ? hostAddresses() : [canonicalIp(hostIp) ?? hostIp];
    let failure: Fault | undefined;
    for (const hostPort of hostPorts === undefined ? this.#ephemeral() : between(hostPorts)) {
      const wanted = addresses.map((address) => ({ protocol, containerPort, hostIp: address, hostPort }));
      try {
        await this.#reserveAll(wanted, publication);
        return wanted;
      } catch (error) {
        if (!Fault.is(error, "unavailable")) throw error;
        failure = Fault.from(error);
      }
    }
    throw failure ?? networkFaults.PORTS_EXHAUSTED();
  }

  /** The same port at several addresses, or at none. */
  async #reserveAll(wanted: readonly PublishedPort[], publication: Publication): Promise<void> {
    await using taken = new AsyncDisposableStack();
    for (const port of wanted) {
      const holder = this.#conflictOf(port);
      if (holder !== undefined) throw networkFaults.PORT_ALLOCATED(bracketed(holder), String(port.hostPort));
      const { hostIp, hostPort, protocol, containerPort } = port;
      this.#hold(port, { reservations: taken });
      try {
        taken.use(await this.#open(port, publication));
      } catch (error) {
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
    publication.reservations.use(taken.move());
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

  #hold(port: PublishedPort, { reservations }: Pick<Publication, "reservations">): void {
    const key = `${port.protocol} ${port.hostPort}`;
    const addresses = this.#taken.get(key) ?? new Set();
    this.#taken.set(key, addresses.add(port.hostIp));
    reservations.defer(() => {
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

/** A host without IPv6 has no `::`. */
function hostAddresses(): readonly string[] {
  return existsSync("/proc/net/if_inet6") ? ["0.0.0.0", "::"] : ["0.0.0.0"];
}

function elementsOf({ ports, target }: Publication): readonly RuleElement[] {
  return ports.flatMap(({ protocol, hostIp, hostPort, containerPort }): RuleElement[] => {
    const family = hostIp.includes(":") ? 6 : 4;
    const address = family === 6 ? target.ipv6 : target.ipv4;
    if (address === undefined) return [];
    const key = `${protocol} . ${hostPort}`;
    const value = `${address} . ${containerPort}`;
    if (isAny(hostIp)) return [{ set: `published${family}`, key, value }];
    return [{ set: `published${family}_at`, key: `${hostIp} . ${key}`, value }];
  });
}
