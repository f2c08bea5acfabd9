import { connect } from "node:http2";
import type { Duplex } from "node:stream";
import type { Logger } from "@hawser/base";
import { Arrivals } from "./arrivals.ts";
import { ClientSession, type SessionTraits } from "./client-session.ts";
import { protocolFaults } from "./faults.ts";

/** The sessions that clients have open. */
export class Sessions implements Disposable {
  readonly #open = new Arrivals<ClientSession>();
  readonly #log: Logger;

  constructor({ log }: { readonly log: Logger }) {
    this.#log = log;
  }

  /**
   * Use a connection as a session, until the client closes it. Here the engine is gRPC's client and whoever connected its server.
   *
   * @returns when the session has ended
   * @throws {Fault} `conflict` when there is one of that id
   */
  async serve(socket: Duplex, traits: SessionTraits): Promise<void> {
    this.check(traits.id);
    const http2 = connect("http://localhost", { createConnection: () => socket });
    const session = new ClientSession(http2, traits);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    http2.on("error", (error) => this.#log.debug("a build's session failed", { error }));
    http2.on("close", resolve);
    this.#open.set(traits.id, session);
    try {
      await closed;
    } finally {
      this.#open.delete(traits.id);
    }
  }

  /** @throws {Fault} `conflict` when there is a session of that id */
  check(id: string): void {
    if (this.#open.has(id)) throw protocolFaults.SESSION_TAKEN(id);
  }

  /** A session; it may come a little after the first call that names it. @throws {Fault} `not-found` */
  async get(id: string, signal: AbortSignal): Promise<ClientSession> {
    const session = await this.#open.wait(id, { timeoutMs: maxWaitMs, signal });
    if (session === undefined) throw protocolFaults.SESSION_MISSING(id);
    return session;
  }

  [Symbol.dispose](): void {
    for (const { http2 } of this.#open.values()) http2.destroy();
  }
}

const maxWaitMs = 5000;
