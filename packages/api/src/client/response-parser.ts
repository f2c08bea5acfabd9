import { clientFaults } from "./client-faults.ts";

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** Names in lower case; of repeated headers all values, joined with `, `. */
  readonly headers: ReadonlyMap<string, string>;
}

/** What a parser tells. `head` comes once, `body` for each piece, `end` once unless the connection became a stream. */
export interface ResponseEvents {
  head(head: ResponseHead): void;
  body(chunk: Buffer): void;
  /** `reusable`: another request may go over this connection. */
  end(reusable: boolean): void;
  /** After 101: the first bytes of the stream that the connection is from now on. */
  upgraded(first: Buffer): void;
}

const maxHeadBytes = 256 << 10;
const maxChunkLineBytes = 4 << 10;

type State =
  | "status"
  | "headers"
  | "fixed"
  | "chunk-size"
  | "chunk"
  | "chunk-end"
  | "trailers"
  | "until-close"
  | "done";

/**
 * One HTTP/1.1 response, from bytes as they come (RFC 9112). Interim responses (1xx but 101) are skipped. Memory is
 * bounded: only an unfinished line is kept.
 */
export class ResponseParser {
  readonly #events: ResponseEvents;
  readonly #isHead: boolean;
  #state: State = "status";
  #line: Buffer = Buffer.alloc(0);
  #headBytes = 0;
  #remaining = 0;
  #status = 0;
  #reason = "";
  #http10 = false;
  #headers = new Map<string, string>();

  constructor(options: { readonly isHead: boolean; readonly events: ResponseEvents }) {
    this.#isHead = options.isHead;
    this.#events = options.events;
  }

  /** Whether the response has been read to its end. */
  get done(): boolean {
    return this.#state === "done";
  }

  /** @throws {Fault} `data-loss` for what is not HTTP/1.1. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case "done":
          throw clientFaults.RESPONSE_INVALID("bytes after its end");
        case "until-close":
          this.#events.body(chunk.subarray(at));
          return;
        case "fixed":
        case "chunk": {
          const length = Math.min(this.#remaining, chunk.length - at);
          this.#remaining -= length;
          this.#events.body(chunk.subarray(at, at + length));
          at += length;
          if (this.#remaining === 0) {
            if (this.#state === "chunk") this.#state = "chunk-end";
            else this.#finish();
          }
          break;
        }
        default: {
          const end = chunk.indexOf(10, at);
          this.#keep(chunk.subarray(at, end < 0 ? chunk.length : end));
          if (end < 0) return;
          at = end + 1;
          const line = this.#line.toString("latin1").replace(/\r$/, "");
          this.#line = Buffer.alloc(0);
          if (this.#takeLine(line) === "upgraded") {
            this.#events.upgraded(chunk.subarray(at));
            return;
          }
        }
      }
    }
  }

  /**
   * The connection ended.
   *
   * @throws {Fault} `data-loss` when the response was not complete.
   */
  close(): void {
    if (this.#state === "done") return;
    if (this.#state !== "until-close") throw clientFaults.RESPONSE_INVALID("the connection ended inside it");
    this.#state = "done";
    this.#events.end(false);
  }

  #keep(part: Buffer): void {
    const inHead = this.#state === "status" || this.#state === "headers" || this.#state === "trailers";
    if (inHead) this.#headBytes += part.length;
    const limit = inHead ? maxHeadBytes : maxChunkLineBytes;
    if (this.#line.length + part.length > limit || this.#headBytes > maxHeadBytes) {
      throw clientFaults.RESPONSE_INVALID("its head is too long");
    }
    this.#line = this.#line.length === 0 ? part : Buffer.concat([this.#line, part]);
  }

  #takeLine(line: string): "upgraded" | undefined {
    switch (this.#state) {
      case "status":
        if (line !== "") this.#takeStatus(line);
        return undefined;
      case "headers":
        if (line !== "") this.#takeHeader(line);
        else return this.#takeHead();
        return undefined;
      case "chunk-size": {
        const size = /^([\da-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)?.[1];
        if (size === undefined) throw clientFaults.RESPONSE_INVALID("a chunk without a size");
        this.#remaining = Number.parseInt(size, 16);
        this.#state = this.#remaining === 0 ? "trailers" : "chunk";
        return undefined;
      }
      case "chunk-end":
        if (line !== "") throw clientFaults.RESPONSE_INVALID("a chunk longer than it said");
        this.#state = "chunk-size";
        return undefined;
      case "trailers":
        if (line === "") this.#finish();
        return undefined;
      case "fixed":
      case "chunk":
      case "until-close":
      case "done":
        return undefined;
    }
  }

  #takeStatus(line: string): void {
    const match = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/.exec(line);
    if (match === null)
      throw clientFaults.RESPONSE_INVALID(`it begins with ${JSON.stringify(line.slice(0, 40))}`);
    this.#http10 = match[1] === "0";
    this.#status = Number(match[2]);
    this.#reason = match[3] ?? "";
    this.#state = "headers";
  }

  #takeHeader(line: string): void {
    const match = /^([!#$%&'*+\-.^`|~\w]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (match === null) throw clientFaults.RESPONSE_INVALID("a malformed header");
    const name = (match[1] ?? "").toLowerCase();
    const value = match[2] ?? "";
    const before = this.#headers.get(name);
    this.#headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }

  #takeHead(): "upgraded" | undefined {
    const status = this.#status;
    if (status < 200 && status !== 101) {
      this.#headers = new Map();
      this.#state = "status";
      return undefined;
    }
    this.#state = this.#bodyState();
    this.#events.head({ status, reason: this.#reason, headers: this.#headers });
    if (status === 101) {
      this.#state = "done";
      return "upgraded";
    }
    if (this.#state === "fixed" && this.#remaining === 0) this.#finish();
    return undefined;
  }

  // RFC 9112 section 6.3: what ends the body
  #bodyState(): State {
    this.#remaining = 0;
    if (this.#isHead || this.#status === 204 || this.#status === 304 || this.#status === 101) return "fixed";
    const coding = this.#headers.get("transfer-encoding");
    if (coding !== undefined) {
      if (coding.toLowerCase() !== "chunked")
        throw clientFaults.RESPONSE_INVALID(`transfer coding "${coding}"`);
      return "chunk-size";
    }
    const length = this.#headers.get("content-length");
    if (length === undefined) return "until-close";
    if (!/^\d{1,15}$/.test(length)) throw clientFaults.RESPONSE_INVALID(`content length "${length}"`);
    this.#remaining = Number(length);
    return "fixed";
  }

  #finish(): void {
    this.#state = "done";
    const connection = (this.#headers.get("connection") ?? "").toLowerCase();
    this.#events.end(!this.#http10 && !connection.includes("close"));
  }
}
