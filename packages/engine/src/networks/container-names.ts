import { closeSync, existsSync, readFileSync } from "node:fs";
import type { Logger } from "@hawser/base";
import { openNamespaceOfProcess } from "@hawser/linux";
import { NameServer, nameserversFor } from "@hawser/network";
import type { ContainerIndex } from "../containers/container-index.ts";
import { type ContainerId, type ContainerRecord, hasProcess } from "../containers/container-record.ts";
import { type Attachment, attachmentsOf } from "./attachment.ts";
import { NameDirectory } from "./name-directory.ts";
import { isPredefined } from "./network-record.ts";
import type { NetworkService } from "./network-service.ts";

/** A name server in the namespace that it holds. */
interface Served {
  readonly nameServer: NameServer;
  readonly fd: number;
}

/**
 * The name servers of containers on users' networks, one in each container's namespace. They are the engine's: when it dies,
 * the next one makes them again at the same place, and questions meanwhile are asked again by their askers.
 */
export class ContainerNames implements Disposable {
  readonly #networks: NetworkService;
  readonly #directory: NameDirectory;
  readonly #servers: readonly string[];
  readonly #randomBytes: (size: number) => Uint8Array;
  readonly #log: Logger;
  readonly #served = new Map<ContainerId, Served>();

  constructor(options: {
    readonly index: ContainerIndex;
    readonly networks: NetworkService;
    /** Name servers for containers that name none; none: the host's. */
    readonly servers: readonly string[];
    readonly randomBytes: (size: number) => Uint8Array;
    readonly log: Logger;
  }) {
    this.#networks = options.networks;
    this.#servers = options.servers;
    this.#directory = new NameDirectory(options.index);
    this.#randomBytes = options.randomBytes;
    this.#log = options.log;
  }

  /** Serve a container that is about to run. Server and descriptor are this object's from now on, until `release`. */
  serve(record: ContainerRecord, attachments: readonly Attachment[], served: Served): void {
    this.release(record.id);
    this.#served.set(record.id, served);
    this.#tell(record, attachments, served);
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

  /** It no longer runs. */
  release(id: ContainerId): void {
    const served = this.#served.get(id);
    if (served === undefined) return;
    this.#served.delete(id);
    served.nameServer[Symbol.dispose]();
    closeSync(served.fd);
  }

  [Symbol.dispose](): void {
    for (const id of this.#served.keys()) this.release(id);
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
