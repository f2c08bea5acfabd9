import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { releaseSocket } from "@hawser/linux";
import { registryFaults } from "./faults.ts";
import { faultOfTransport, readBody, type TransportResponse } from "./transport.ts";

/** Two of these are all the memory that a body takes. */
const blockBytes = 512 * 1024;
/** What is shorter is not worth a connection that ends. */
const leastBytes = 1 << 20;

/**
 * As `readBody`, for a long one: a chunk is good until the next one is asked for. What comes without encryption is read past node:http,
 * straight into memory that is used again; the connection ends with it. (node:http gives 64 KB at a time, each in new memory: four
 * times the processor, and a collection of garbage every 10 MB.)
 *
 * @throws {Fault} as `readBody`; a body that ends early just ends
 */
export async function* readLargeBody(
  response: TransportResponse,
  options: { readonly what: string; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<Buffer, void, undefined> {
  const { what, signal } = options;
  const taken = take(response);
  if (taken === undefined) {
    yield* readBody(response, options);
    return;
  }
  const { message, wantedBytes } = taken;
  try {
    const released = releaseSocket(message.socket, signal && { signal }); // nothing is read from here on
    const parsed = unreadOf(message);
    const { fd, unread } = await released;
    using rest = new RawBody(fd, {
      wantedBytes: wantedBytes - parsed.length - unread.length,
      idleMs: response.idleMs,
      what,
    });
    const abort = () => rest.fail(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      signal?.throwIfAborted();
      for (const chunk of [parsed, unread]) if (chunk.length > 0) yield chunk;
      for (let chunk = await rest.next(); chunk !== undefined; chunk = await rest.next()) yield chunk;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw faultOfTransport(what, error);
  }
}

/** An answer that node:http has no more to do with: its body is as long as it says, on a connection that can be read. */
function take({
  body,
}: TransportResponse): { readonly message: IncomingMessage; readonly wantedBytes: number } | undefined {
  if (!(body instanceof IncomingMessage) || body.complete || body.readableFlowing !== null) return undefined;
  const { headers, socket } = body;
  const wantedBytes = Number(headers["content-length"] ?? 0);
  const isPlain = socket instanceof Socket && !(socket instanceof TLSSocket) && !socket.destroyed;
  if (!isPlain || headers["transfer-encoding"] !== undefined || wantedBytes < leastBytes) return undefined;
  socket.removeAllListeners("data");
  body._read = () => {}; // it would have the connection read on
  body.on("error", () => {}); // to node:http the connection broke
  return { message: body, wantedBytes };
}

function unreadOf(message: IncomingMessage): Buffer {
  const chunks: Buffer[] = [];
  for (let chunk: unknown = message.read(); chunk !== null; chunk = message.read())
    chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** So many bytes of a connection, in the order `next`, `next`, ... of one reader. */
class RawBody implements Disposable {
  readonly #blocks = [Buffer.allocUnsafeSlow(blockBytes), Buffer.allocUnsafeSlow(blockBytes)] as const;
  /** The block that is read into; the reader may still have the other one. */
  #filling: 0 | 1 = 0;
  #wantedBytes: number;
  /** Read, and not asked for yet. Meanwhile nothing is read. */
  #ready: Buffer | undefined;
  #waiting: PromiseWithResolvers<Buffer | undefined> | undefined;
  readonly #failed = new AbortController();
  #isEnded = false;
  readonly #socket: Socket;

  /** Takes over `fd`. */
  constructor(
    fd: number,
    options: { readonly wantedBytes: number; readonly idleMs: number; readonly what: string },
  ) {
    const { wantedBytes, idleMs, what } = options;
    this.#wantedBytes = wantedBytes;
    const socket = new Socket({
      fd,
      readable: true,
      writable: false,
      onread: { buffer: () => this.#room(), callback: (length) => this.#take(length) },
    });
    this.#socket = socket;
    const end = () => {
      this.#isEnded = true;
      this.#waiting?.resolve(undefined);
    };
    socket.on("error", (error) => this.fail(error)).on("end", end);
    socket.on("close", end);
    socket.setTimeout(idleMs, () => {
      if (this.#waiting !== undefined) this.fail(registryFaults.STALLED(what, idleMs));
      else socket.setTimeout(idleMs); // it waits for its reader
    });
  }

  /** The next bytes, good until this is called again; `undefined` when there are no more. */
  async next(): Promise<Buffer | undefined> {
    const ready = this.#ready;
    if (ready !== undefined) {
      this.#ready = undefined;
      if (this.#wantedBytes > 0) this.#socket.resume();
      return ready;
    }
    this.#failed.signal.throwIfAborted();
    if (this.#wantedBytes <= 0 || this.#isEnded) return undefined;
    this.#waiting = Promise.withResolvers();
    try {
      return await this.#waiting.promise;
    } finally {
      this.#waiting = undefined;
    }
  }

  fail(reason: unknown): void {
    this.#failed.abort(reason);
    this.#waiting?.reject(this.#failed.signal.reason);
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #room(): Uint8Array {
    return this.#blocks[this.#filling].subarray(0, Math.max(1, this.#wantedBytes));
  }

  /** False: read no more for now. */
  #take(length: number): boolean {
    const chunk = this.#blocks[this.#filling].subarray(0, length);
    this.#filling = this.#filling === 0 ? 1 : 0;
    this.#wantedBytes -= length;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#ready = chunk;
    else waiting.resolve(chunk);
    return waiting !== undefined && this.#wantedBytes > 0;
  }
}
