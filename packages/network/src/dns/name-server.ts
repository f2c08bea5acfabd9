import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket as TcpSocket } from "node:net";
import { errnoOf } from "@hawser/base";
import { runNft, socketInNamespace } from "@hawser/linux";
import { answerQuery, failureOf } from "./answer.ts";
import { Forwarder, framed } from "./forwarder.ts";
import type { NameSockets } from "./name-keeper.ts";
import type { NameZone } from "./name-zone.ts";

/** Where containers ask, as Docker's tell them. */
export const nameServerAddress = "127.0.0.11";
/** Where the server listens; any other port when a program of the container has this one. */
const preferredPort = 40_053;
const table = "hawser_names";
/** Connections of one container that wait, and how long one may be silent. */
const mostConnections = 64;
const idleMs = 10_000;

/** What a name server answers, and whom it asks for the rest. */
export interface NameService {
  readonly zone: NameZone;
  /** Servers for everything else. */
  readonly servers: readonly string[];
  /** A network without a way out: nothing else is asked for. */
  readonly forwards: boolean;
  readonly randomId: () => number;
}

/**
 * The name server inside a container's network namespace, at 127.0.0.11 port 53, by UDP and TCP. It listens at other ports,
 * to which a rule in the namespace leads, so that the container can have a server of its own on port 53.
 *
 * Its sockets hold the namespace: it must be disposed when the container is gone.
 */
export class NameServer implements Disposable {
  readonly #udp: Socket;
  readonly #tcp: Server;
  readonly #connections = new Set<TcpSocket>();
  /** Numbers of its sockets, for others that hold them, too. */
  readonly sockets: NameSockets;
  #closed = false;
  #service: NameService | undefined;
  #forwarder: Forwarder | undefined;

  /**
   * Make it, or, after an engine's death, make it again. Questions before `serve` are not answered.
   *
   * @param namespaceFd stays the caller's
   * @throws {Fault} `unavailable` without libnftables, `internal`; `Error` with the system's code.
   */
  static async open(namespaceFd: number): Promise<NameServer> {
    const server = await NameServer.adopt([bindInside(namespaceFd, "udp"), bindInside(namespaceFd, "tcp")]);
    const address = server.#tcp.address();
    const tcpPort = typeof address === "object" && address !== null ? address.port : preferredPort;
    try {
      await runNft(rules({ udpPort: server.#udp.address().port, tcpPort }), { namespaceFd });
    } catch (error) {
      server[Symbol.dispose]();
      throw error;
    }
    return server;
  }

  /** Go on with the sockets of a name server whose engine is dead; they are this one's from now on. */
  static async adopt(sockets: NameSockets): Promise<NameServer> {
    const udp = createSocket("udp4");
    udp.bind({ fd: sockets[0] });
    const tcp = createServer();
    tcp.listen({ fd: sockets[1] });
    await once(tcp, "listening"); // the other is at once
    udp.unref();
    tcp.unref();
    return new NameServer(udp, { tcp, sockets });
  }

  private constructor(
    udp: Socket,
    { tcp, sockets }: { readonly tcp: Server; readonly sockets: NameSockets },
  ) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.sockets = sockets;
    tcp.maxConnections = mostConnections;
    udp.on("error", () => {}); // of one datagram: the asker asks again
    udp.on("message", (query, from) => {
      this.#answer(query, "udp", (response) => udp.send(response, from.port, from.address, () => {}));
    });
    tcp.on("connection", (socket) => this.#converse(socket));
  }

  /**
   * Begin to answer, or answer differently from now on.
   *
   * @param options.namespaceFd the container's; stays the caller's, who keeps it open until disposal
   */
  serve(service: NameService, options: { readonly namespaceFd: number }): void {
    this.#service = service;
    this.#forwarder?.[Symbol.dispose]();
    this.#forwarder = new Forwarder({ ...service, ...options });
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forwarder?.[Symbol.dispose]();
    for (const socket of this.#connections) socket.destroy();
    this.#udp.close();
    this.#tcp.close();
  }

  #answer(query: Buffer, transport: "udp" | "tcp", reply: (response: Buffer) => void): void {
    const service = this.#service;
    if (service === undefined) return;
    const { zone, randomId, forwards } = service;
    const outcome = answerQuery(query, zone, { transport, random: (below) => randomId() % below });
    if (outcome.kind === "answer") reply(outcome.message);
    if (outcome.kind !== "forward") return;
    if (!forwards) {
      reply(failureOf(query, 2));
      return;
    }
    void this.#forwarder?.ask(query, transport).then((response) => {
      if (!this.#closed) reply(response ?? failureOf(query, 2));
    });
  }

  #converse(socket: TcpSocket): void {
    this.#connections.add(socket);
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => this.#connections.delete(socket));
    let received = Buffer.alloc(0);
    socket.on("data", (data: Buffer) => {
      received = Buffer.concat([received, data]);
      while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
        const end = received.readUInt16BE(0) + 2;
        const query = Buffer.from(received.subarray(2, end));
        received = received.subarray(end);
        this.#answer(query, "tcp", (response) => {
          if (socket.writable) socket.write(framed(response));
        });
      }
    });
  }
}

function bindInside(namespaceFd: number, protocol: "tcp" | "udp"): number {
  // Shared: the next engine opens its own before who stands in for this one closes these.
  const where = { namespaceFd, protocol, address: nameServerAddress, shared: true };
  try {
    return socketInNamespace({ ...where, port: preferredPort });
  } catch (error) {
    if (errnoOf(error) !== "EADDRINUSE") throw error;
    return socketInNamespace({ ...where, port: 0 });
  }
}

function rules({ udpPort, tcpPort }: { readonly udpPort: number; readonly tcpPort: number }): string {
  return `add table ip ${table}
delete table ip ${table}
table ip ${table} {
	chain output {
		type nat hook output priority -100; policy accept;
		ip daddr ${nameServerAddress} udp dport 53 dnat to ${nameServerAddress}:${udpPort}
		ip daddr ${nameServerAddress} tcp dport 53 dnat to ${nameServerAddress}:${tcpPort}
	}
}
`;
}
