import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { httpFaults } from "./faults.ts";

/** An answer that is sent in pieces; its head has left already. */
export interface ResponseStream {
  /**
   * Send bytes; settles when the client keeps up.
   *
   * @throws {Fault} `canceled` when the client has gone.
   */
  write(chunk: Uint8Array | string): Promise<void>;
  /** Send one JSON document and a line feed. */
  writeJson(value: unknown): Promise<void>;
  /** Nothing follows. Without it the client sees that the answer broke off. */
  end(): void;
}

/** A body that is larger than this is not copied behind its head. */
const maxCopiedBytes = 16 << 10;

/** The answer to one request. Exactly one of `sendJson`, `sendText`, `sendEmpty`, `openStream` is called, once. */
export class ApiResponse {
  readonly #socket: Socket;
  readonly #options: ResponseOptions;
  readonly #headers = new Map<string, string>();
  #state: "open" | "streaming" | "done" | "taken" = "open";

  constructor(socket: Socket, options: ResponseOptions) {
    this.#socket = socket;
    this.#options = options;
    for (const [name, value] of options.headers) this.#headers.set(name, value);
  }

  /** Whether the head has left: nothing but the rest of the body can be said any more. */
  get started(): boolean {
    return this.#state !== "open";
  }

  /** Whether the whole answer has been given. */
  get done(): boolean {
    return this.#state === "done";
  }

  /** Set a header of the answer. The value is made safe: control characters become spaces. */
  setHeader(name: string, value: string): void {
    this.#headers.set(name, value.replace(/[\0-\x1f\x7f]/g, " "));
  }

  /** The JSON document, unescaped for HTML and with a line feed after it, as Docker writes it. */
  sendJson(status: number, value: unknown): void {
    this.sendJsonBytes(status, Buffer.from(`${JSON.stringify(value)}\n`));
  }

  /** The same of what has been written already, with its line feed. */
  sendJsonBytes(status: number, document: Buffer): void {
    this.setHeader("Content-Type", "application/json");
    this.#send(status, document);
  }

  sendText(status: number, text: string): void {
    this.setHeader("Content-Type", "text/plain; charset=utf-8");
    this.#send(status, Buffer.from(text));
  }

  /** No body: 204, 304, 200 to a HEAD, 201 for a tag. */
  sendEmpty(status: number): void {
    this.#send(status, Buffer.alloc(0));
  }

  /** Send the head now and the body as it comes. */
  openStream(status: number, options: { readonly contentType: string }): ResponseStream {
    this.#begin("streaming");
    const chunked = this.#options.version === "1.1";
    this.setHeader("Content-Type", options.contentType);
    if (chunked) this.setHeader("Transfer-Encoding", "chunked");
    else this.setHeader("Connection", "close");
    this.#write(this.#head(status));
    const { headOnly } = this.#options;
    const write = async (chunk: Uint8Array | string): Promise<void> => {
      if (this.#state !== "streaming") throw httpFaults.CLIENT_GONE();
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      if (headOnly || bytes.length === 0) return;
      if (chunked) {
        this.#socket.cork();
        this.#write(`${bytes.length.toString(16)}\r\n`);
        this.#write(bytes);
        this.#write("\r\n");
        this.#socket.uncork();
      } else {
        this.#write(bytes);
      }
      await drained(this.#socket);
    };
    return {
      write,
      writeJson: (value) => write(`${JSON.stringify(value)}\n`),
      end: () => {
        if (this.#state !== "streaming") return;
        this.#state = "done";
        if (chunked && !headOnly) this.#write("0\r\n\r\n");
      },
    };
  }

  /** For a hijack: the connection is not this answer's any more. Gives it, and the headers that were set. */
  take(): { readonly socket: Socket; readonly headers: ReadonlyMap<string, string> } {
    this.#begin("taken");
    this.#options.onTake?.();
    return { socket: this.#socket, headers: this.#headers };
  }

  /** Whether the connection was taken over. */
  get taken(): boolean {
    return this.#state === "taken";
  }

  #send(status: number, bytes: Buffer): void {
    this.#begin("done");
    const bodiless = status === 204 || status === 304;
    if (!bodiless) this.setHeader("Content-Length", String(bytes.length));
    if (!this.#options.keepAlive()) this.setHeader("Connection", "close");
    const head = this.#head(status);
    if (bodiless || this.#options.headOnly) return this.#write(head);
    if (bytes.length < maxCopiedBytes) return this.#write(Buffer.concat([head, bytes]));
    this.#socket.cork();
    this.#write(head);
    this.#write(bytes);
    this.#socket.uncork();
  }

  #begin(state: "streaming" | "done" | "taken"): void {
    if (this.#state !== "open") throw httpFaults.HIJACK_TOO_LATE();
    this.#state = state;
  }

  #head(status: number): Buffer {
    return formatHead(formatStatusLine(status), this.#headers);
  }

  #write(bytes: Uint8Array | string): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }
}

export interface ResponseOptions {
  readonly version: "1.0" | "1.1";
  /** The request was a HEAD. */
  readonly headOnly: boolean;
  /** Asked when the head leaves: whether the connection will take another request. */
  readonly keepAlive: () => boolean;
  /** Headers of every answer. */
  readonly headers: ReadonlyMap<string, string>;
  /** The connection is another's from here on. */
  readonly onTake?: () => void;
}

/** `HTTP/1.1 404 Not Found`. */
export function formatStatusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}`;
}

/** Status line and headers as bytes, with the empty line after them. */
export function formatHead(statusLine: string, headers: ReadonlyMap<string, string>): Buffer {
  let head = `${statusLine}\r\n`;
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
  return Buffer.from(`${head}\r\n`, "latin1");
}

/**
 * Settles when the client keeps up with what was written.
 *
 * @throws {Fault} `canceled` when it has gone.
 */
async function drained(socket: Socket): Promise<void> {
  if (!socket.writable) throw httpFaults.CLIENT_GONE();
  if (!socket.writableNeedDrain) return;
  await new Promise<void>((resolve, reject) => {
    const settle = () => {
      socket.off("drain", settle);
      socket.off("close", settle);
      if (socket.writable) resolve();
      else reject(httpFaults.CLIENT_GONE());
    };
    socket.on("drain", settle);
    socket.on("close", settle);
  });
}

/** Send a whole body, and end it. */
export async function sendAll(stream: ResponseStream, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) await stream.write(chunk);
  stream.end();
}
