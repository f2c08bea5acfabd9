import type { Socket } from "node:net";
import { httpFaults } from "./faults.ts";

/**
 * The incoming side of a socket, pulled: nothing is read that nobody asked for, beyond the socket's own buffer, so
 * back-pressure reaches the client. What was read too far goes back into the socket, which is therefore always whole for
 * whoever takes it over.
 */
export class SocketInput {
  readonly #socket: Socket;
  #wake: (() => void) | undefined;
  #onGone: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    for (const event of events) socket.on(event, this.#notify);
  }

  /**
   * The next bytes, at most so many: what is asked for beyond need is copied, put back and copied again. `undefined` at
   * the end of input.
   *
   * @throws {Fault} `canceled` when the connection broke.
   */
  async read(maxBytes = maxReadBytes): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#socket.destroyed) throw httpFaults.CLIENT_GONE();
      const waiting = this.#socket.readableLength;
      // All that waits would be copied together and, put back in part, again and again; and the socket, empty for a moment,
      // would read on without bound.
      const chunk = this.#socket.read(
        waiting === 0 ? undefined : Math.min(waiting, maxBytes, maxReadBytes),
      ) as Buffer | null;
      if (chunk !== null) return chunk;
      if (this.#socket.readableEnded) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  /** Give bytes back, the first ones to be read next. Only in the same turn as the `read` that gave them. */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#socket.unshift(bytes);
  }

  /**
   * While an answer is being made: call `onGone` when the client closes its side, until `unwatch`. A client that sent
   * more already is not watched: what it sent is before its end.
   */
  watch(onGone: () => void): void {
    this.#onGone = onGone;
    this.#notify();
  }

  unwatch(): void {
    this.#onGone = undefined;
  }

  /** Stop having to do with the socket. */
  detach(): void {
    for (const event of events) this.#socket.off(event, this.#notify);
    this.#onGone = undefined;
  }

  readonly #notify = (): void => {
    this.#wake?.();
    this.#wake = undefined;
    const onGone = this.#onGone;
    if (onGone === undefined) return;
    const gone = () => this.#socket.destroyed || this.#socket.readableEnded;
    if (!gone()) {
      const chunk = this.#socket.read() as Buffer | null; // the end is only seen by reading
      if (chunk !== null) {
        this.#onGone = undefined;
        this.#socket.unshift(chunk);
        return;
      }
    }
    if (!gone()) return;
    this.#onGone = undefined;
    onGone();
  };
}

const maxReadBytes = 64 * 1024;

const events = ["readable", "end", "error", "close"] as const;
