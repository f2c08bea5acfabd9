import { closeSync } from "node:fs";
import type { Logger } from "@hawser/base";
import { createNetworkNamespace } from "@hawser/linux";
import { NameServer } from "./dns/name-server.ts";
import { namespaceSettings } from "./endpoint.ts";
import { ReadyPool } from "./ready-pool.ts";

/** A namespace with nothing but `lo`, and a name server that waits to be told what to serve. */
export interface NamedNamespace {
  /** The holder's. */
  readonly fd: number;
  readonly nameServer: NameServer;
}

/** Namespaces for containers on users' networks, made ahead from the first time on that one is wanted. */
export class NamedNamespacePool implements AsyncDisposable {
  readonly #options: { readonly poolSize?: number; readonly log: Logger };
  #pool: ReadyPool<NamedNamespace> | undefined;
  #closed = false;

  constructor(options: { readonly poolSize?: number; readonly log: Logger }) {
    this.#options = options;
  }

  /**
   * Both are the caller's.
   *
   * @throws {Fault} `unavailable` when libnftables is not there; `Error` with the system's code.
   */
  async acquire(): Promise<NamedNamespace> {
    this.#pool ??= this.#open();
    return await this.#pool.acquire();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#pool?.[Symbol.asyncDispose]();
  }

  #open(): ReadyPool<NamedNamespace> {
    const { poolSize = 4, log } = this.#options;
    return new ReadyPool({
      size: this.#closed ? 0 : poolSize,
      concurrency: 2,
      refillDelayMs: 50,
      make: createNamed,
      discard: ({ fd, nameServer }) => {
        nameServer[Symbol.dispose]();
        closeSync(fd);
      },
      onError: (error) => log.warn("cannot make a network namespace ahead", { error }),
    });
  }
}

async function createNamed(): Promise<NamedNamespace> {
  const { fd } = await createNetworkNamespace({ settings: namespaceSettings });
  try {
    return { fd, nameServer: await NameServer.open(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
