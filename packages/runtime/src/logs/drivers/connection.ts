import { createSocket } from "node:dgram";
import { connect as connectPlain, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { errnoOf } from "@hawser/base";

export type Receiver =
  | { readonly transport: "tcp"; readonly host: string; readonly port: number }
  | {
      readonly transport: "tls";
      readonly host: string;
      readonly port: number;
      readonly tls?: ConnectionOptions;
    }
  | { readonly transport: "unix"; readonly path: string };

/** How long a receiver may take to accept a connection, or to read what it was sent. */
const patienceMs = 10_000;

/** A connection to a receiver of logs, which says when something does not get through. */
export class LogConnection implements AsyncDisposable {
  readonly socket: Socket;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", (error) => (this.#failure ??= error));
    socket.on("close", () => (this.#failure ??= new Error("the receiver closed the connection")));
  }

  /**
   * @param options.isAnswered whoever opens it reads what the receiver says; otherwise it is read, so that its end is seen
   * @throws {Error} in the words that Go has for it
   */
  static async open(
    receiver: Receiver,
    options: { readonly isAnswered?: boolean } = {},
  ): Promise<LogConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = dial(receiver, resolve);
    socket.unref();
    const late = setTimeout(() => socket.destroy(new Error("i/o timeout")), patienceMs);
    socket.once("error", reject);
    try {
      await promise;
    } catch (error) {
      socket.destroy();
      throw new Error(dialWords(receiver, error), { cause: error });
    } finally {
      clearTimeout(late);
      socket.off("error", reject);
    }
    if (options.isAnswered !== true) socket.resume();
    return new LogConnection(socket);
  }

  /** Returns when the kernel, or its peer, has taken all of it. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = setTimeout(() => this.socket.destroy(new Error("the receiver does not read")), patienceMs);
    const closed = () => reject(this.#failure ?? new Error("the receiver closed the connection"));
    this.socket.once("close", closed);
    this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    try {
      await promise;
    } finally {
      clearTimeout(late);
      this.socket.off("close", closed);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.socket.once("close", () => resolve());
    this.socket.end(() => this.socket.destroy());
    const late = setTimeout(() => this.socket.destroy(), 1000);
    await promise;
    clearTimeout(late);
  }
}

function dial(receiver: Receiver, done: () => void): Socket {
  switch (receiver.transport) {
    case "unix":
      return connectPlain({ path: receiver.path }, done);
    case "tcp":
      return connectPlain({ host: receiver.host, port: receiver.port }, done);
    case "tls":
      return connectTls({ host: receiver.host, port: receiver.port, ...receiver.tls }, done);
  }
}

const refusals: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  ENETUNREACH: "network is unreachable",
  EHOSTUNREACH: "no route to host",
};

function dialWords(receiver: Receiver, error: unknown): string {
  const place =
    receiver.transport === "unix"
      ? `unix ${receiver.path}`
      : `tcp ${receiver.host.includes(":") ? `[${receiver.host}]` : receiver.host}:${receiver.port}`;
  const refusal = refusals[errnoOf(error) ?? ""];
  const words =
    refusal === undefined ? (error instanceof Error ? error.message : String(error)) : `connect: ${refusal}`;
  return `dial ${place}: ${words}`;
}

/** A way for datagrams to one receiver. One that nobody takes is told when the next is sent, if at all. */
export class DatagramConnection implements AsyncDisposable {
  readonly #socket;

  private constructor(socket: ReturnType<typeof createSocket>) {
    this.#socket = socket;
    socket.on("error", () => {}); // told to who sends
    socket.unref();
  }

  static async open(host: string, port: number): Promise<DatagramConnection> {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.connect(port, host === "" ? "127.0.0.1" : host, (error?: Error) =>
      error ? reject(error) : resolve(),
    );
    try {
      await promise;
    } catch (error) {
      socket.close();
      throw new Error(`dial udp ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    socket.off("error", reject);
    return new DatagramConnection(socket);
  }

  async send(bytes: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.send(bytes, (error) => (error ? reject(error) : resolve()));
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.close(() => resolve());
    await promise;
  }
}
