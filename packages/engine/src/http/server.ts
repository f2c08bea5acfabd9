import { createServer, type Server, type Socket } from "node:net";
import { newestApiVersion } from "@hawser/api";
import type { Logger } from "@hawser/base";
import { type PeerCredentials, peerCredentials, socketDescriptor } from "@hawser/linux";
import type { ServerTls } from "../config/server-tls.ts";
import { type Exchange, serveConnection } from "./connection.ts";
import { httpFaults } from "./faults.ts";
import { listenInherited, listenTcp, listenUnix, parseListenAddress } from "./listen.ts";
import { Query } from "./query.ts";
import { ApiRequest } from "./request.ts";
import { type Route, Router } from "./router.ts";
import { TlsFront } from "./tls-front.ts";

export interface ApiServerOptions {
  readonly routes: readonly Route[];
  /** For the `Server` header. */
  readonly version: string;
  readonly log: Logger;
  /** Takes connections that speak HTTP/2 from their first byte; absent: they are closed. */
  readonly serveHttp2?: (socket: Socket) => void;
  /** What `Docker-Experimental` says. */
  readonly experimental?: boolean;
  /** For connections by TCP; absent: they are not encrypted. */
  readonly tls?: ServerTls;
  /** A TCP socket that was handed over may be without encryption. */
  readonly plainTcp?: boolean;
  /** Listening descriptors that were handed to this process, by name; none for `fd://` when absent. */
  readonly inheritedSockets?: (name: string) => readonly number[];
  /** Group that may use the unix sockets. Absent: the process's own. */
  readonly socketGroupId?: number;
  readonly maxHeadBytes?: number;
  readonly headTimeoutMs?: number;
  readonly handshakeTimeoutMs?: number;
}

/** Where a connection comes from. */
interface Origin {
  readonly peer: PeerCredentials | undefined;
  readonly kind: "unix" | "tcp";
}

/**
 * The Engine API on its addresses: accepts connections, finds out what they speak, finds each request's route, answers
 * what fails. `listen` may be called for several addresses; `close` (or disposal) ends them all.
 */
export class ApiServer implements AsyncDisposable {
  readonly #options: ApiServerOptions;
  readonly #router: Router;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();
  readonly #tls: TlsFront | undefined;
  readonly #removals: (() => Promise<void>)[] = [];
  readonly #stopping = new AbortController();
  /** Answers being made, and how to abort them. */
  readonly #exchanges = new Map<Promise<void>, AbortController>();

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#router = new Router(options.routes);
    this.#tls =
      options.tls &&
      new TlsFront(options.tls, { ...options, accept: (socket) => this.#accept(socket, "tcp") });
    this.#headers = new Map([
      ["Api-Version", newestApiVersion],
      ["Docker-Experimental", String(options.experimental ?? false)],
      ["Ostype", "linux"],
      ["Server", `Hawser/${options.version} (linux)`],
    ]);
  }

  /**
   * Listen on `unix:///path`, `tcp://host:port` or `fd://`. Returns the address as it came to be (the port, when 0 was asked
   * for).
   *
   * @throws {Fault} `invalid-argument` for the address, `unavailable` when another engine has it, `conflict` when the path
   *   is something other than a socket.
   */
  async listen(address: string): Promise<string> {
    const parsed = parseListenAddress(address);
    if (parsed.kind === "fd") {
      const fds = this.#options.inheritedSockets?.(parsed.name) ?? [];
      for (const fd of fds) await this.#listenInherited(fd, address);
      return address;
    }
    const { kind } = parsed;
    const server = this.#createServer(() => kind, address);
    if (parsed.kind === "unix") {
      this.#removals.push(
        await listenUnix(server, { path: parsed.path, groupId: this.#options.socketGroupId }),
      );
      return address;
    }
    const port = await listenTcp(server, parsed);
    const { tls, log } = this.#options;
    if (tls?.clientAuthority === undefined) {
      const what = tls === undefined ? "without encryption" : "for clients without a certificate";
      log.warn(`API ${what}: who reaches it is root on this host`, { address });
    }
    return `tcp://${parsed.host.includes(":") ? `[${parsed.host}]` : parsed.host}:${port}`;
  }

  /**
   * Accept nothing more, abort what waits (`request.signal`), let answers that are being made end for up to `graceMs`,
   * then close every connection, streams included.
   */
  async close({ graceMs = 1000 }: { readonly graceMs?: number } = {}): Promise<void> {
    const closed = [...this.#servers].map((server) => new Promise((resolve) => server.close(resolve)));
    this.#servers.clear();
    await Promise.all(this.#removals.splice(0).map((remove) => remove()));
    this.#stopping.abort();
    for (const abort of this.#exchanges.values()) abort.abort(httpFaults.ENGINE_STOPS());
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, graceMs);
    await Promise.race([Promise.all(this.#exchanges.keys()), grace.promise]);
    clearTimeout(timer);
    this.#tls?.close();
    for (const socket of this.#sockets) socket.destroySoon();
    const late = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await Promise.all(closed);
    clearTimeout(late);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #createServer(kind: () => "unix" | "tcp", address: string): Server {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      if (kind() === "tcp") socket.setKeepAlive(true);
      if (kind() === "tcp" && this.#tls !== undefined) this.#tls.take(socket);
      else this.#accept(socket, kind());
    });
    // Out of descriptors, say: connections fail, the engine does not.
    server.on("error", (error) => this.#options.log.warn("cannot accept connections", { address, error }));
    this.#servers.add(server);
    return server;
  }

  /** Of which kind a socket is that somebody else has opened shows when it is listened on. */
  async #listenInherited(fd: number, address: string): Promise<void> {
    let kind: "unix" | "tcp" = "unix";
    const server = this.#createServer(() => kind, address);
    kind = await listenInherited(server, fd);
    if (kind === "tcp" && this.#options.tls === undefined && this.#options.plainTcp !== true)
      throw httpFaults.PLAIN_TCP(address);
  }

  #accept(socket: Socket, kind: "unix" | "tcp"): void {
    try {
      this.#serve(socket, kind);
    } catch (error) {
      this.#options.log.warn("connection not accepted", { error });
      socket.destroy();
    }
  }

  #serve(socket: Socket, kind: "unix" | "tcp"): void {
    const { log, maxHeadBytes = 256 << 10, headTimeoutMs = 60_000 } = this.#options;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", (error) => log.debug("connection failed", { error }));
    // Before anything wraps the socket: afterwards the descriptor may be out of reach.
    const peer = kind === "unix" ? peerCredentials(socketDescriptor(socket)) : undefined;
    void serveConnection(socket, {
      handle: (exchange) => this.#track(exchange, { peer, kind }),
      serveHttp2: this.#options.serveHttp2 ?? ((connection) => void connection.destroy()),
      headers: this.#headers,
      maxHeadBytes,
      headTimeoutMs,
      stopping: this.#stopping.signal,
      log,
    }).catch((error: unknown) => {
      log.error("connection failed", { error });
      socket.destroy();
    });
  }

  async #track(exchange: Exchange, from: Origin): Promise<void> {
    const abort = new AbortController();
    const handled = this.#handle(exchange, { ...from, abort });
    const settled = handled.catch(() => {});
    this.#exchanges.set(settled, abort);
    try {
      await handled;
    } finally {
      this.#exchanges.delete(settled);
    }
  }

  async #handle(
    { head, body, response, watchClient }: Exchange,
    { peer, kind, abort }: Origin & { readonly abort: AbortController },
  ): Promise<void> {
    if (head.method === "OPTIONS") return response.sendEmpty(200);
    const origin = head.headers.get("origin");
    if (kind === "tcp" && origin !== undefined) throw httpFaults.ORIGIN_REFUSED(origin);
    const question = head.target.indexOf("?");
    const path = question < 0 ? head.target : head.target.slice(0, question);
    const { route, params, path: ownPath, apiVersion } = this.#router.match(head.method, path);
    if (route.hijacks !== true) watchClient(() => abort.abort(httpFaults.CLIENT_GONE()));
    await route.handler(
      new ApiRequest({
        method: head.method,
        path: ownPath,
        params,
        query: new Query(question < 0 ? "" : head.target.slice(question + 1)),
        headers: head.headers,
        apiVersion,
        peer,
        signal: abort.signal,
        body,
      }),
      response,
    );
    if (!response.started) throw httpFaults.NO_ANSWER(`${head.method} ${ownPath}`);
  }
}
