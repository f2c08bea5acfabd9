import { closeSync } from "node:fs";
import { type Logger, silentLogger } from "@hawser/base";
import { createNetworkNamespace } from "@hawser/linux";
import { namespaceSettings } from "./endpoint.ts";
import { ReadyPool } from "./ready-pool.ts";

/** Network namespaces with nothing but `lo`, which is up, made ahead: for containers without a network. */
export class BareNamespacePool implements AsyncDisposable {
  readonly #pool: ReadyPool<number>;

  constructor(options: { readonly poolSize?: number; readonly log?: Logger } = {}) {
    const log = options.log ?? silentLogger;
    this.#pool = new ReadyPool({
      size: options.poolSize ?? 8,
      concurrency: 2,
      refillDelayMs: 50,
      make: async () => (await createNetworkNamespace({ settings: namespaceSettings })).fd,
      discard: closeSync,
      onError: (error) => log.warn("cannot make a network namespace ahead", { error }),
    });
  }

  /**
   * A namespace of its own; the descriptor is the caller's.
   *
   * @throws {Error} with the system's code when the kernel refuses to make one.
   */
  async acquire(options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    return await this.#pool.acquire(options.signal);
  }

  /** Those that nobody has acquired are closed, and so gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}
