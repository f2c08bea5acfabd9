import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { divertSocket, isDivertible, releaseSocket } from "@hawser/linux";
import { registryFaults } from "./faults.ts";
import { faultOfTransport, readBody, type TransportResponse } from "./transport.ts";

/** Three of these are all the memory that a body takes. */
const blockBytes = 512 * 1024;
/** What is shorter is not worth a connection that ends. */
const leastBytes = { plain: 1 << 20, encrypted: 4 << 20 };
/** What a connection has decrypted is copied out of here at once, so all have the same. As long as a record. */
const record = Buffer.allocUnsafeSlow(16 * 1024);

/**
 * As `readBody`, for a long one: a chunk is good until the next one is asked for. It is read past node:http, into memory that is used
 * again; the connection ends with it. (node:http gives 64 KB at a time, with encryption 16 KB, each in new memory: four times the
 * processor, and a collection of garbage every 10 MB.)
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
    using body = new RawBody({ wantedBytes, idleMs: response.idleMs, what });
    const abort = () => body.fail(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      for (const chunk of await attach(body, message, signal)) if (chunk.length > 0) yield chunk;
      for (let chunk = await body.next(); chunk !== undefined; chunk = await body.next()) yield chunk;
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
  if (!(socket instanceof Socket) || socket.destroyed || headers["transfer-encoding"] !== undefined)
    return undefined;
  const isEncrypted = socket instanceof TLSSocket;
  if (isEncrypted && !isDivertible(socket)) return undefined;
  if (wantedBytes < (isEncrypted ? leastBytes.encrypted : leastBytes.plain)) return undefined;
  socket.removeAllListeners("data");
  body._read = () => {}; // it would have the connection read on
  body.on("error", () => {}); // to node:http the connection broke
  return { message: body, wantedBytes };
}

/** What comes from here on goes to `body`. Returns what had come before. */
async function attach(
  body: RawBody,
  message: IncomingMessage,
  signal: AbortSignal | undefined,
): Promise<readonly Buffer[]> {
  const { socket } = message;
  if (socket instanceof TLSSocket) {
    const unread = divertSocket(socket, { memory: record, take: (bytes) => body.append(bytes) });
    const before = [unreadOf(message), unread];
    body.read(socket, before);
    return before;
  }
  const released = releaseSocket(socket, signal && { signal }); // nothing is read from here on
  const parsed = unreadOf(message);
  const { fd, unread } = await released;
  const onread = {
    buffer: () => body.room(),
    callback: (length: number) => body.fill(length),
  };
  body.read(new Socket({ fd, readable: true, writable: false, onread }), [parsed, unread]);
  signal?.throwIfAborted();
  return [parsed, unread];
}

function unreadOf(message: IncomingMessage): Buffer {
  const chunks: Buffer[] = [];
  for (let chunk: unknown = message.read(); chunk !== null; chunk = message.read())
    chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

interface Block {
  readonly memory: Buffer;
  length: number;
}

/** So many bytes of a connection, in the order `next`, `next`, ... of one reader. */
class RawBody implements Disposable {
  readonly #idle: { readonly ms: number; readonly what: string };
  #wantedBytes: number;
  #socket: Socket | undefined;
  readonly #free: Buffer[] = [];
  /** For `fill`. */
  #room: Buffer | undefined;
  /** Read, and not asked for yet. With a whole block of it nothing more is read. */
  readonly #ready: Block[] = [];
  /** What the reader has. */
  #lent: Buffer | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  readonly #failed = new AbortController();
  #isEnded = false;

  constructor(options: { readonly wantedBytes: number; readonly idleMs: number; readonly what: string }) {
    const { wantedBytes, idleMs, what } = options;
    this.#wantedBytes = wantedBytes;
    this.#idle = { ms: idleMs, what };
  }

  /** Begin with what `socket` gives, which becomes this one's; `before` has come already. */
  read(socket: Socket, before: readonly Buffer[]): void {
    for (const { length } of before) this.#wantedBytes -= length;
    this.#socket = socket;
    const end = () => {
      this.#isEnded = true;
      this.#waiting?.resolve();
    };
    socket.on("error", (error) => this.fail(error)).on("end", end);
    socket.on("close", end);
    const { ms, what } = this.#idle;
    socket.removeAllListeners("timeout");
    socket.setTimeout(ms, () => {
      if (this.#waiting !== undefined) this.fail(registryFaults.STALLED(what, ms));
      else socket.setTimeout(ms); // it waits for its reader
    });
    if (this.#failed.signal.aborted) socket.destroy();
    else socket.resume();
  }

  /** The next bytes, good until this is called again; `undefined` when there are no more. */
  async next(): Promise<Buffer | undefined> {
    if (this.#lent !== undefined) this.#free.push(this.#lent);
    this.#lent = undefined;
    while (this.#ready.length === 0) {
      this.#failed.signal.throwIfAborted();
      if (this.#wantedBytes <= 0 || this.#isEnded) return undefined;
      this.#waiting = Promise.withResolvers();
      try {
        await this.#waiting.promise;
      } finally {
        this.#waiting = undefined;
      }
    }
    const block = this.#ready.shift();
    this.#lent = block?.memory;
    if (this.#wantedBytes > 0) this.#socket?.resume();
    return block?.memory.subarray(0, block.length);
  }

  /** Where to read to. */
  room(): Uint8Array {
    this.#room ??= this.#take();
    return this.#room;
  }

  /** So much was read to `room`. False: read no more for now. */
  fill(length: number): boolean {
    const isWaiting = this.#waiting !== undefined;
    if (this.#room !== undefined) this.#ready.push({ memory: this.#room, length: this.#count(length) });
    this.#room = undefined;
    this.#waiting?.resolve();
    return isWaiting && this.#wantedBytes > 0;
  }

  /** As `fill`, for what comes in small pieces: the reader gets what has come together. */
  append(bytes: Uint8Array): boolean {
    const length = this.#count(bytes.length);
    let last = this.#ready.at(-1);
    if (last === undefined || last.length + length > blockBytes) {
      last = { memory: this.#take(), length: 0 };
      this.#ready.push(last);
      setImmediate(() => this.#waiting?.resolve());
    }
    last.memory.set(bytes.subarray(0, length), last.length);
    last.length += length;
    if (this.#wantedBytes > 0 && this.#ready.length === 1) return true;
    this.#waiting?.resolve();
    return false;
  }

  fail(reason: unknown): void {
    this.#failed.abort(reason);
    this.#waiting?.reject(this.#failed.signal.reason);
    this.#socket?.destroy();
  }

  [Symbol.dispose](): void {
    this.#socket?.destroy();
  }

  /** Of so many bytes, those that are the body's. */
  #count(length: number): number {
    const counted = Math.min(length, this.#wantedBytes);
    this.#wantedBytes -= counted;
    return counted;
  }

  #take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
  }
}
