import { closeSync, existsSync, readFileSync } from "node:fs";
import type { Logger } from "@hawser/base";
import { openNamespaceOfProcess } from "@hawser/linux";
import { type NameKeeper, NameServer, type NameSockets, nameserversFor } from "@hawser/network";
import type { ContainerIndex } from "../containers/container-index.ts";
import { type ContainerId, type ContainerRecord, hasProcess } from "../containers/container-record.ts";
import { type Attachment, attachmentsOf } from "./attachment.ts";
import { NameDirectory } from "./name-directory.ts";
import { isPredefined, type NetworkRecord } from "./network-record.ts";

interface Networks {
  find(nameOrId: string): Pick<NetworkRecord, "internal"> | undefined;
}

/** A name server in the namespace that it holds. */
interface Served {
  readonly nameServer: NameServer;
  readonly fd: number;
}

/**
 * The name servers of containers on users' networks, one in each container's namespace. When the engine dies the keeper's
 * stand-in goes on with their sockets, until the next engine has made them again at the same place.
 */
export class ContainerNames implements Disposable {
  readonly #networks: Networks;
  readonly #directory: NameDirectory;
  readonly #servers: readonly string[];
  readonly #randomBytes: (size: number) => Uint8Array;
  readonly #keeper: Pick<NameKeeper, "hold" | "drop"> | undefined;
  readonly #log: Logger;
  readonly #served = new Map<ContainerId, Served>();

  constructor(options: {
    readonly index: ContainerIndex;
    readonly networks: Networks;
    /** Name servers for containers that name none; none: the host's. */
    readonly servers: readonly string[];
    readonly randomBytes: (size: number) => Uint8Array;
    readonly keeper?: Pick<NameKeeper, "hold" | "drop">;
    readonly log: Logger;
  }) {
    this.#networks = options.networks;
    this.#servers = options.servers;
    this.#directory = new NameDirectory(options.index);
    this.#randomBytes = options.randomBytes;
    this.#keeper = options.keeper;
    this.#log = options.log;
  }

  /** Serve a container that is about to run. Server and descriptor are this object's from now on, until `release`. */
  serve(record: ContainerRecord, attachments: readonly Attachment[], served: Served): void {
    this.release(record.id);
    this.#served.set(record.id, served);
    this.#tell(record, attachments, served);
    this.#keeper?.hold(record.id, served.nameServer.sockets);
  }

  /** Serve a container that runs: after an engine's death, or when it has come to its first network with names. */
  async open(record: ContainerRecord): Promise<void> {
    const attachments = attachmentsOf(record);
    if (!hasProcess(record) || !attachments.some(hasNames)) return;
    const existing = this.#served.get(record.id);
    if (existing !== undefined) {
      this.#tell(record, attachments, existing);
      return;
    }
    const fd = openNamespaceOfProcess(record.state.pid);
    try {
      this.serve(record, attachments, { nameServer: await NameServer.open(fd), fd });
    } catch (error) {
      closeSync(fd);
      this.#log.error("cannot serve names to a container", { container: record.id, error });
    }
  }

  /**
   * Go on with the sockets of an engine that is dead; they are this object's from now on.
   *
   * @returns false when the container does not run: they are the caller's then
   */
  async adopt(record: ContainerRecord, sockets: NameSockets): Promise<boolean> {
    if (!hasProcess(record) || !existsSync(`/proc/${record.state.pid}`)) return false;
    const fd = openNamespaceOfProcess(record.state.pid);
    this.serve(record, attachmentsOf(record), { nameServer: await NameServer.adopt(sockets), fd });
    return true;
  }

  /** Containers with a name server. */
  get served(): readonly ContainerId[] {
    return [...this.#served.keys()];
  }

  /** It no longer runs. */
  release(id: ContainerId): void {
    const served = this.#served.get(id);
    if (served === undefined) return;
    this.#keeper?.drop(id);
    this.#close(id, served);
  }

  /** Their containers go on, and the keeper with their sockets. */
  [Symbol.dispose](): void {
    for (const [id, served] of this.#served) this.#close(id, served);
  }

  #close(id: ContainerId, served: Served): void {
    this.#served.delete(id);
    served.nameServer[Symbol.dispose]();
    closeSync(served.fd);
  }

  #tell(record: ContainerRecord, attachments: readonly Attachment[], { nameServer, fd }: Served): void {
    const forwards = attachments.some(({ network, networkId }) => {
      const found = this.#networks.find(networkId || network);
      return found !== undefined && !found.internal;
    });
    const service = {
      zone: this.#directory.zoneOf(record.id),
      servers: [record.hostConfig.dns, this.#servers].find(({ length }) => length > 0) ?? hostServers(),
      forwards,
      randomId: () => Buffer.from(this.#randomBytes(2)).readUInt16BE(),
    };
    nameServer.serve(service, { namespaceFd: fd });
  }
}

/** Whether names are served on a network: on all but the predefined ones. */
export function hasNames({ network }: Attachment): boolean {
  return !isPredefined(network);
}

/** Those of the host, its own loopback ones included: they are asked from there. */
function hostServers(): readonly string[] {
  const path = "/etc/resolv.conf";
  return nameserversFor(existsSync(path) ? readFileSync(path, "utf8") : "");
}
