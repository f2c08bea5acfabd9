import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { connect, isIPv6, Socket as TcpSocket } from "node:net";
import { socketInNamespace } from "@hawser/linux";
import { canonicalIp } from "../port-reservation.ts";

export interface ForwarderOptions {
  /** Addresses of the servers, in the order in which they are asked. */
  readonly servers: readonly string[];
  /**
   * The network namespace to ask from, which stays the caller's; absent: the host's. Servers on the loopback network are
   * always asked from the host, whose they are.
   */
  readonly namespaceFd?: number;
  /** Chance, for what a forger would have to guess. */
  readonly randomId: () => number;
}

interface Pending {
  readonly id: number;
  readonly question: Buffer;
  readonly server: string;
  readonly resolve: (response: Buffer | undefined) => void;
  readonly timer: NodeJS.Timeout;
}

/** How long one server may take; and how many questions of one container may wait. */
const patienceMs = 2000;
const mostPending = 512;

/** Asks the servers that a container was given, in the container's view of the network. */
export class Forwarder implements Disposable {
  readonly #options: ForwarderOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #sockets = new Map<string, Socket>();
  readonly #streams = new Set<TcpSocket>();
  #closed = false;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** What a server says, under the question's own id; `undefined` when none answers. */
  async ask(query: Buffer, transport: "udp" | "tcp"): Promise<Buffer | undefined> {
    for (const server of this.#options.servers) {
      if (this.#closed) return undefined;
      const response = await (transport === "udp"
        ? this.#askUdp(query, server)
        : this.#askTcp(query, server));
      if (response !== undefined) return response;
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const { resolve, timer } of this.#pending.values()) {
      clearTimeout(timer);
      resolve(undefined);
    }
    this.#pending.clear();
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    for (const stream of this.#streams) stream.destroy();
  }

  async #askUdp(query: Buffer, server: string): Promise<Buffer | undefined> {
    if (this.#pending.size >= mostPending) return undefined;
    let id = this.#options.randomId();
    while (this.#pending.has(id)) id = (id + 1) & 0xffff;
    const socket = this.#socketFor(server);
    if (socket === undefined) return undefined;
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
    const timer = setTimeout(() => {
      this.#pending.delete(id);
      resolve(undefined);
    }, patienceMs);
    this.#pending.set(id, { id, question: query.subarray(12), server, resolve, timer });
    const message = Buffer.from(query);
    message.writeUInt16BE(id, 0);
    socket.send(message, 53, server, (error) => {
      if (error !== null && error !== undefined) this.#settle(id, undefined);
    });
    const response = await promise;
    if (response === undefined) return undefined;
    response.writeUInt16BE(query.readUInt16BE(0), 0);
    return response;
  }

  /** One for each family and view; a kernel that does not give it (no IPv6 there) is a server that does not answer. */
  #socketFor(server: string): Socket | undefined {
    const family = isIPv6(server) ? "udp6" : "udp4";
    const { namespaceFd } = this.#options;
    const inside = namespaceFd !== undefined && !isLoopback(server);
    const key = `${family} ${inside}`;
    const existing = this.#sockets.get(key);
    if (existing !== undefined) return existing;
    const address = family === "udp6" ? "::" : "0.0.0.0";
    try {
      const socket = createSocket(family);
      socket.on("message", (message, from) => this.#hear(message, from));
      socket.on("error", () => {});
      if (inside) {
        socket.bind({ fd: socketInNamespace({ namespaceFd, protocol: "udp", address, port: 0 }) });
      } else socket.bind({ address, port: 0, exclusive: true });
      socket.unref();
      this.#sockets.set(key, socket);
      return socket;
    } catch {
      return undefined;
    }
  }

  /** Only what comes from the server that was asked, and repeats the question, is its answer. */
  #hear(message: Buffer, from: RemoteInfo): void {
    if (message.length < 12) return;
    const pending = this.#pending.get(message.readUInt16BE(0));
    if (
      pending === undefined ||
      from.port !== 53 ||
      canonicalIp(from.address) !== canonicalIp(pending.server)
    )
      return;
    if ((message[2] ?? 0) < 0x80) return;
    const asked = questionOf(pending.question);
    if (message.readUInt16BE(4) === 1 && questionOf(message.subarray(12)) !== asked) return;
    this.#settle(pending.id, message);
  }

  #settle(id: number, response: Buffer | undefined): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    pending.resolve(response);
  }

  async #askTcp(query: Buffer, server: string): Promise<Buffer | undefined> {
    const stream = this.#connect(server);
    if (stream === undefined) return undefined;
    this.#streams.add(stream);
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
    let received = Buffer.alloc(0);
    stream.setTimeout(patienceMs, () => resolve(undefined));
    stream.on("error", () => resolve(undefined));
    stream.on("close", () => resolve(undefined));
    stream.on("data", (data: Buffer) => {
      received = Buffer.concat([received, data]);
      const size = received.length < 2 ? Infinity : received.readUInt16BE(0);
      if (received.length >= size + 2) resolve(received.subarray(2, size + 2));
    });
    stream.write(framed(query));
    try {
      return await promise;
    } finally {
      this.#streams.delete(stream);
      stream.destroy();
    }
  }

  #connect(server: string): TcpSocket | undefined {
    const { namespaceFd } = this.#options;
    if (namespaceFd === undefined || isLoopback(server)) return connect({ host: server, port: 53 });
    const address = isIPv6(server) ? "::" : "0.0.0.0";
    try {
      const fd = socketInNamespace({ namespaceFd, protocol: "tcp", address, port: 0 });
      const stream = new TcpSocket({ fd, readable: false, writable: true });
      return stream.connect({ host: server, port: 53 });
    } catch {
      return undefined;
    }
  }
}

/** A message over TCP comes after its length (RFC 1035 4.2.2). */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** The first question's name, type and class, for comparison: case is the asker's. */
function questionOf(section: Buffer): string {
  let at = 0;
  while (at < section.length && section[at] !== 0) at += (section[at] ?? 0) + 1;
  return section
    .subarray(0, at + 5)
    .toString("latin1")
    .toLowerCase();
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}
