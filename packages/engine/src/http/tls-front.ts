import type { Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import type { Logger } from "@hawser/base";
import type { ServerTls } from "../config/server-tls.ts";

/**
 * Clients that are not through their handshake yet. One more, and the one that has been at it for the longest goes: who means
 * it needs milliseconds, so that those who only come to be in the way are in nobody's.
 */
const maxHandshakes = 256;

/** Agrees with clients on encryption, and lets in whom the authority vouches for, if there is one. */
export class TlsFront {
  readonly #server: Server;
  /** By where they come from, which the encrypted connection has in common with the one below it. */
  readonly #handshakes = new Map<string, Socket>();

  constructor(
    { certificate, key, clientAuthority }: ServerTls,
    options: {
      /** Gets a connection that is encrypted. */
      readonly accept: (socket: Socket) => void;
      readonly handshakeTimeoutMs?: number;
      readonly log: Logger;
    },
  ) {
    const { accept, handshakeTimeoutMs = 10_000, log } = options;
    this.#server = createServer(
      {
        cert: certificate,
        key,
        minVersion: "TLSv1.2",
        handshakeTimeout: handshakeTimeoutMs,
        ...(clientAuthority && { ca: clientAuthority, requestCert: true, rejectUnauthorized: true }),
      },
      (socket) => {
        this.#handshakes.delete(peerOf(socket));
        accept(socket);
      },
    );
    this.#server.on("tlsClientError", (error, socket) => {
      log.debug("a client is not let in", { error });
      socket.destroy();
    });
  }

  /** Take a connection on which nothing has been read. */
  take(socket: Socket): void {
    if (this.#handshakes.size >= maxHandshakes) {
      const [[slowest, slow] = []] = this.#handshakes;
      slow?.destroy();
      if (slowest !== undefined) this.#handshakes.delete(slowest);
    }
    const peer = peerOf(socket);
    this.#handshakes.set(peer, socket);
    socket.once("close", () => {
      if (this.#handshakes.get(peer) === socket) this.#handshakes.delete(peer);
    });
    socket.on("error", () => {}); // the close that follows says it
    this.#server.emit("connection", socket);
  }

  /** Turn away who is not through yet. */
  close(): void {
    for (const socket of this.#handshakes.values()) socket.destroy();
  }
}

function peerOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(" ");
}
