import { createHash } from "node:crypto";
import { closeSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { openNamespaceOfProcess } from "@hawser/linux";
import { type BareNamespacePool, type DefaultBridge, hostsFile, resolvConfFor } from "@hawser/network";
import type { ContainerIndex } from "../containers/container-index.ts";
import { type ContainerRecord, type EndpointRecord, hasProcess } from "../containers/container-record.ts";
import { containerFaults } from "../containers/faults.ts";
import type { RandomBytes } from "../containers/names.ts";

/** What a container's start needs to know of its network. */
export interface NetworkPlace extends Disposable {
  /** `own`: a namespace of its own; `host`: the host's; `joined`: another container's. */
  readonly kind: "own" | "host" | "joined";
  /** The namespace, for `own` and `joined`; closed with this object. */
  readonly namespaceFd?: number;
  readonly endpoint?: EndpointRecord;
  /** The container whose namespace, hosts file and resolver are shared. */
  readonly joinedId?: string;
}

/** The built-in networks: none, host, another container's, and the default bridge. */
export class ContainerNetworks {
  readonly #bridge: DefaultBridge;
  readonly #bare: BareNamespacePool;
  readonly #randomBytes: RandomBytes;

  constructor(options: { bridge: DefaultBridge; bare: BareNamespacePool; randomBytes: RandomBytes }) {
    this.#bridge = options.bridge;
    this.#bare = options.bare;
    this.#randomBytes = options.randomBytes;
  }

  /**
   * The host name of a container that shares somebody else's network: the host's, or the other container's; `undefined`
   * when it has its own.
   *
   * @throws {Fault} `invalid-argument` for a network or container that does not exist: Docker's clients would take `not-found`
   *   for a missing image.
   */
  sharedHostname(networkMode: string, index: ContainerIndex): string | undefined {
    const mode = parseNetworkMode(networkMode);
    if (mode.kind === "host") return hostname();
    if (mode.kind !== "container") return undefined;
    const other = index.find(mode.container);
    if (other === undefined) throw containerFaults.JOIN_UNKNOWN(mode.container);
    return other.record.config.hostname;
  }

  /**
   * A place on the network for a container that is about to start. The caller disposes it when the namespace has been
   * handed on; the address stays taken until `release`.
   */
  async join(record: ContainerRecord, index: ContainerIndex): Promise<NetworkPlace> {
    const mode = parseNetworkMode(record.hostConfig.networkMode);
    switch (mode.kind) {
      case "host":
        return { kind: "host", [Symbol.dispose]() {} };
      case "none":
        return own(await this.#bare.acquire());
      case "container": {
        const other = index.resolve(mode.container);
        if (other.id === record.id) throw containerFaults.NETWORK_CONTAINER_SELF();
        if (!hasProcess(other.record)) throw containerFaults.JOIN_NOT_RUNNING(other.id);
        const fd = openNamespaceOfProcess(other.record.state.pid);
        return { ...own(fd), kind: "joined", joinedId: other.id };
      }
      case "bridge": {
        const endpoint = await this.#bridge.acquire();
        const { address, prefixLength, gateway, macAddress } = endpoint;
        return {
          kind: "own",
          namespaceFd: endpoint.namespaceFd,
          endpoint: { id: randomId(this.#randomBytes), address, prefixLength, gateway, macAddress },
          [Symbol.dispose]: () => endpoint.dispose(),
        };
      }
    }
  }

  /** Write the files of a container's own network: hosts, and resolv.conf made of the host's. */
  writeFiles(
    record: ContainerRecord,
    place: {
      readonly endpoint?: EndpointRecord;
      readonly kind: NetworkPlace["kind"];
      readonly files: NetworkFiles;
    },
  ): void {
    const { config, hostConfig } = record;
    const isHost = place.kind === "host";
    const hosts = isHost
      ? readFileSync("/etc/hosts", "utf8")
      : hostsFile({
          hostname: config.hostname,
          domainname: config.domainname,
          extraHosts: hostConfig.extraHosts,
          ...(place.endpoint !== undefined && {
            address: place.endpoint.address,
            gateway: place.endpoint.gateway,
          }),
        });
    const systemdText = readIfThere("/run/systemd/resolve/resolv.conf");
    const resolvConf = resolvConfFor(readIfThere("/etc/resolv.conf") ?? "", {
      ...(systemdText !== undefined && { systemdText }),
      nameservers: hostConfig.dns,
      search: hostConfig.dnsSearch,
      options: hostConfig.dnsOptions,
      keepLoopback: isHost,
    });
    writeFileSync(place.files.hosts, hosts);
    writeFileSync(place.files.resolvConf, resolvConf);
  }

  /** The container no longer runs: its address may be given to another. */
  release(endpoint: EndpointRecord): void {
    this.#bridge.release(endpoint.address);
  }
}

export interface NetworkFiles {
  readonly hosts: string;
  readonly resolvConf: string;
}

type NetworkMode =
  | { readonly kind: "none" | "host" | "bridge" }
  | { readonly kind: "container"; readonly container: string };

/** Docker's `NetworkMode`: empty and `default` mean the default bridge. */
export function parseNetworkMode(text: string): NetworkMode {
  if (text === "" || text === "default" || text === "bridge") return { kind: "bridge" };
  if (text === "none" || text === "host") return { kind: text };
  const [, container] = /^container:(.+)$/.exec(text) ?? [];
  if (container !== undefined) return { kind: "container", container };
  throw containerFaults.NETWORK_UNKNOWN(text);
}

/** The name under which Docker lists a container's network; `undefined` when it shares another container's. */
export function networkNameOf(networkMode: string): "bridge" | "host" | "none" | undefined {
  const mode = parseNetworkMode(networkMode);
  return mode.kind === "container" ? undefined : mode.kind;
}

/** The built-in networks have the same ids on every host. */
export function networkIdOf(name: "bridge" | "host" | "none"): string {
  return createHash("sha256").update(`hawser network ${name}`).digest("hex");
}

function own(namespaceFd: number): NetworkPlace {
  return { kind: "own", namespaceFd, [Symbol.dispose]: () => closeSync(namespaceFd) };
}

function randomId(randomBytes: RandomBytes): string {
  return Buffer.from(randomBytes(32)).toString("hex");
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
