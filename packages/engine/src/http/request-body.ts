import { httpFaults } from "./faults.ts";
import type { BodyFraming } from "./request-head.ts";
import type { SocketInput } from "./socket-input.ts";

/** A chunk's size line, extension included, and each trailer line may be this long. */
const maxLineBytes = 4096;
const maxTrailerLines = 64;

/** The size line of a chunk is shorter. */
const usualLineBytes = 16;

/** The body of one request, read once, in order, as it comes. */
export class RequestBody implements AsyncIterable<Buffer> {
  readonly #input: SocketInput;
  readonly #chunked: boolean;
  readonly #beforeFirstRead: () => void;
  /** Bytes left of the body or of the current chunk. */
  #remaining: number;
  #begun = false;
  readonly #end = Promise.withResolvers<void>();
  #ended = false;

  /** @param options.beforeFirstRead called once, before the socket is first read for this body (`100 Continue`) */
  constructor(input: SocketInput, framing: BodyFraming, options: { readonly beforeFirstRead: () => void }) {
    this.#input = input;
    this.#chunked = framing.kind === "chunked";
    this.#remaining = framing.kind === "length" ? framing.bytes : 0;
    this.#beforeFirstRead = options.beforeFirstRead;
    if (framing.kind === "none") this.#finish();
  }

  /** Settles when all of it has been read; never if that does not happen. */
  get whenEnded(): Promise<void> {
    return this.#end.promise;
  }

  /** Whether anyone has asked for it. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Bytes still to come, `undefined` when the client did not say. */
  get remainingBytes(): number | undefined {
    if (this.#ended) return 0;
    return this.#chunked ? undefined : this.#remaining;
  }

  /**
   * The next bytes, `undefined` at the end.
   *
   * @throws {Fault} `canceled` when the client left before the end, `invalid-argument` for broken chunks.
   */
  async read(): Promise<Buffer | undefined> {
    if (this.#ended) return undefined;
    if (!this.#begun) {
      this.#begun = true;
      this.#beforeFirstRead();
    }
    if (this.#remaining === 0 && this.#chunked && !(await this.#nextChunk())) return undefined;
    const bytes = await this.#input.read(this.#remaining);
    if (bytes === undefined) throw httpFaults.BODY_INCOMPLETE();
    const own = bytes.subarray(0, this.#remaining);
    this.#input.unread(bytes.subarray(own.length));
    this.#remaining -= own.length;
    if (this.#remaining === 0) {
      if (this.#chunked) await this.#endOfChunk();
      else this.#finish();
    }
    return own;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const bytes = await this.read();
      if (bytes === undefined) return;
      yield bytes;
    }
  }

  /** Read the rest and drop it. Returns whether the end came within `maxBytes`. */
  async drain(maxBytes: number): Promise<boolean> {
    let dropped = 0;
    while (dropped <= maxBytes) {
      const bytes = await this.read();
      if (bytes === undefined) return true;
      dropped += bytes.length;
    }
    return false;
  }

  /** Read the size line of the next chunk; after the last one its trailers, which are dropped. */
  async #nextChunk(): Promise<boolean> {
    const line = await this.#readLine();
    const [, digits] = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line) ?? [];
    if (digits === undefined) throw httpFaults.REQUEST_MALFORMED("chunk size");
    this.#remaining = Number.parseInt(digits, 16);
    if (this.#remaining > 0) return true;
    for (let lines = 0; (await this.#readLine()) !== ""; lines += 1) {
      if (lines >= maxTrailerLines) throw httpFaults.REQUEST_MALFORMED("too many trailers");
    }
    this.#finish();
    return false;
  }

  #finish(): void {
    this.#ended = true;
    this.#end.resolve();
  }

  async #endOfChunk(): Promise<void> {
    if ((await this.#readLine()) !== "") throw httpFaults.REQUEST_MALFORMED("chunk longer than its size");
  }

  /** A line without its CRLF. */
  async #readLine(): Promise<string> {
    let line = "";
    for (;;) {
      const bytes = await this.#input.read(usualLineBytes);
      if (bytes === undefined) throw httpFaults.BODY_INCOMPLETE();
      const end = bytes.indexOf(0x0a);
      const taken = end < 0 ? bytes.length : end + 1;
      this.#input.unread(bytes.subarray(taken));
      line += bytes.toString("latin1", 0, taken);
      if (line.length > maxLineBytes) throw httpFaults.REQUEST_MALFORMED("chunk line too long");
      if (end < 0) continue;
      if (!line.endsWith("\r\n")) throw httpFaults.REQUEST_MALFORMED("bare line feed");
      return line.slice(0, -2);
    }
  }
}
