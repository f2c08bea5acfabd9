import type { Socket } from "node:net";
import { Fault } from "@hawser/base";
import { ByteQueue } from "./byte-queue.ts";
import { clientFaults } from "./client-faults.ts";
import type { Endpoint } from "./endpoint.ts";
import { openTransport, type Transport } from "./open-transport.ts";
import { type ResponseHead, ResponseParser } from "./response-parser.ts";

export interface ConnectionRequest {
  readonly method: string;
  /** Path and query, encoded. */
  readonly target: string;
  readonly headers: ReadonlyMap<string, string>;
  /** Text is sent with its length, bytes as they come, chunked. */
  readonly body?: string | AsyncIterable<Uint8Array>;
}

export type ConnectionReply =
  | { readonly kind: "response"; readonly head: ResponseHead; readonly body: AsyncIterable<Buffer> }
  | { readonly kind: "upgraded"; readonly head: ResponseHead; readonly socket: Socket };

/**
 * One connection to an engine: requests one after the other, each to the end of its reply. Over `node:net` by hand, since
 * that starts faster than `node:http` and gives the socket away whole after an upgrade.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #explain: Transport["explain"];
  readonly #endpoint: Endpoint;
  #state: "idle" | "busy" | "closed" = "idle";
  #answered = false;

  private constructor({ socket, explain }: Transport, endpoint: Endpoint) {
    this.#socket = socket;
    this.#explain = explain;
    this.#endpoint = endpoint;
    const onClose = () => {
      this.#state = "closed";
    };
    socket.on("close", onClose);
    socket.on("end", onClose);
    socket.on("error", onClose);
  }

  /**
   * @throws {Fault} `unavailable` when nothing answers there; its cause is the system's error.
   */
  static async open(
    endpoint: Endpoint,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Connection> {
    return new Connection(await openTransport(endpoint, options.signal), endpoint);
  }

  /** Give the socket away, before any request. */
  release(): Socket {
    if (this.#state !== "idle") throw this.#lost("is in use");
    this.#state = "closed";
    return this.#socket;
  }

  /** Whether another request may be sent now. */
  get idle(): boolean {
    return this.#state === "idle";
  }

  /** Whether the engine has sent anything in answer to the last request. */
  get answered(): boolean {
    return this.#answered;
  }

  /**
   * Send a request and wait for the head of its reply. The body must be read to its end, or left, before the next one.
   * An abort closes the connection, also while the body is read.
   *
   * @throws {Fault} `unavailable` when the connection ends before the head, `data-loss` for what is not HTTP.
   */
  async exchange(
    request: ConnectionRequest,
    options: { readonly signal?: AbortSignal; readonly onIdle?: () => void } = {},
  ): Promise<ConnectionReply> {
    if (this.#state !== "idle") throw this.#lost("is gone");
    options.signal?.throwIfAborted();
    this.#state = "busy";
    this.#answered = false;
    const socket = this.#socket;
    const { promise, resolve, reject } = Promise.withResolvers<ConnectionReply>();
    promise.catch(() => {}); // an early failure is thrown below, after the body was sent
    let head: ResponseHead | undefined;
    let sent = false;

    const queue = new ByteQueue({
      onFull: () => socket.pause(),
      onDrained: () => socket.resume(),
      onAbandoned: () => socket.destroy(),
    });
    const fail = (error: unknown) => {
      const fault = Fault.from(error);
      release();
      socket.destroy();
      reject(fault);
      queue.fail(fault);
    };
    const parser = new ResponseParser({
      isHead: request.method === "HEAD",
      events: {
        head: (received) => {
          head = received;
          if (received.status !== 101) resolve({ kind: "response", head: received, body: queue });
        },
        body: (chunk) => queue.push(chunk),
        end: (reusable) => {
          release();
          queue.end();
          if (!reusable || !sent || this.#state === "closed") {
            this.#state = "closed";
            socket.destroy();
            return;
          }
          this.#state = "idle";
          options.onIdle?.();
        },
        upgraded: (first) => {
          release();
          this.#state = "closed";
          socket.pause();
          if (first.length > 0) socket.unshift(first);
          if (head !== undefined) resolve({ kind: "upgraded", head, socket });
        },
      },
    });

    const onData = (chunk: Buffer) => {
      this.#answered = true;
      try {
        parser.push(chunk);
      } catch (error) {
        fail(error);
      }
    };
    const onEnd = () => {
      if (head === undefined) return void this.#tellLost("closed the connection without a reply").then(fail);
      try {
        parser.close();
      } catch (error) {
        fail(this.#lost("closed the connection in the middle of its reply").because(error));
      }
    };
    const onError = (error: Error) => {
      // EPIPE while the body is sent: the engine may have replied already, that reply says why
      if (!sent && "code" in error && error.code === "EPIPE") return;
      if (Fault.is(error)) return fail(error);
      void this.#tellLost(`broke the connection: ${error.message}`).then((fault) =>
        fail(fault.because(error)),
      );
    };
    const onClose = () => {
      if (!parser.done) onEnd();
    };
    const onAbort = () => fail(Fault.from(options.signal?.reason));
    const release = () => {
      socket.off("data", onData);
      socket.off("end", onEnd);
      socket.off("error", onError);
      socket.off("close", onClose);
      options.signal?.removeEventListener("abort", onAbort);
    };
    socket.on("data", onData);
    socket.on("end", onEnd);
    socket.on("error", onError);
    socket.on("close", onClose);
    options.signal?.addEventListener("abort", onAbort, { once: true });

    try {
      await this.#send(request, () => parser.done || this.#state === "closed");
      sent = true;
    } catch (error) {
      if (!socket.destroyed) fail(error);
    }
    return await promise;
  }

  /** `listener` is called once it is closed, also after an upgrade. */
  whenClosed(listener: () => void): void {
    this.#socket.once("close", listener);
  }

  /** Close at once, also after an upgrade. */
  close(): void {
    this.#state = "closed";
    this.#socket.destroy();
  }

  /** Whether this connection keeps the process alive. */
  hold(alive: boolean): void {
    if (alive) this.#socket.ref();
    else this.#socket.unref();
  }

  async #send(request: ConnectionRequest, isOver: () => boolean): Promise<void> {
    const { body } = request;
    let text = `${request.method} ${request.target} HTTP/1.1\r\n`;
    for (const [name, value] of request.headers) text += `${name}: ${headerValue(value)}\r\n`;
    if (typeof body === "string") {
      this.#socket.write(`${text}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      return;
    }
    if (body === undefined) {
      this.#socket.write(request.method === "POST" ? `${text}Content-Length: 0\r\n\r\n` : `${text}\r\n`);
      return;
    }
    this.#socket.write(`${text}Transfer-Encoding: chunked\r\n\r\n`);
    for await (const chunk of body) {
      if (isOver() || !this.#socket.writable) return;
      if (chunk.length === 0) continue;
      this.#socket.write(`${chunk.length.toString(16)}\r\n`);
      this.#socket.write(chunk);
      if (!this.#socket.write("\r\n")) await drained(this.#socket);
    }
    if (this.#socket.writable) this.#socket.write("0\r\n\r\n");
  }

  async #tellLost(why: string): Promise<Fault> {
    return this.#lost((await this.#explain?.()) ?? why);
  }

  #lost(why: string): Fault {
    return clientFaults.CONNECTION_LOST(this.#endpoint.text, why);
  }
}

/** A value with a line break would be another header. */
function headerValue(value: string): string {
  return value.replace(/[\r\n\0]+/g, " ");
}

async function drained(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("drain", resolve);
  socket.once("close", resolve);
  await promise;
  socket.off("drain", resolve);
  socket.off("close", resolve);
}
