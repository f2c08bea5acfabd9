import { connect, type Socket } from "node:net";

export type Fields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface Frame {
  readonly kind: string;
  readonly [key: string]: string;
}

/** How long a test waits for the next bytes; more than any of them takes on a busy machine. */
const deadlineMs = 20_000;

/** A frame of the monitor protocol; `true` is `1`, `false` and `undefined` are absent, a list repeats its key. */
export function encodeFrame(kind: string, fields: Fields = {}): Buffer {
  const parts = [`kind=${kind}\0`];
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || value === false) continue;
    const values = typeof value === "object" ? value : [value === true ? "1" : String(value)];
    for (const one of values) parts.push(`${key}=${one}\0`);
  }
  const body = Buffer.from(parts.join(""));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

/**
 * A connection that is read frame by frame, and as a stream from where the caller stops reading frames. Nothing is read
 * ahead of the caller but what node has in hand.
 */
export class FrameSocket implements Disposable {
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  #ended = false;
  #waiting: (() => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    const wake = () => {
      this.#waiting?.();
      this.#waiting = undefined;
    };
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      wake();
    });
    for (const event of ["end", "close", "error"]) {
      socket.on(event, () => {
        this.#ended = true;
        wake();
      });
    }
  }

  static async open(path: string): Promise<FrameSocket> {
    const socket = connect({ path, allowHalfOpen: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve).once("error", reject);
    await promise;
    return new FrameSocket(socket);
  }

  send(kind: string, fields: Fields = {}): void {
    this.socket.write(encodeFrame(kind, fields));
  }

  /** The next frame; `undefined` at the end of the connection. */
  async next(): Promise<Frame | undefined> {
    for (;;) {
      if (this.#bytes.length >= 4) {
        const end = 4 + this.#bytes.readUInt32BE(0);
        if (this.#bytes.length >= end) {
          const fields = this.#bytes.subarray(4, end).toString().split("\0").slice(0, -1);
          this.#bytes = this.#bytes.subarray(end);
          return parseFields(fields);
        }
      }
      if (this.#ended) return undefined;
      await this.#more();
    }
  }

  /** The next frame of that kind; others before it are dropped. */
  async wait(kind: string): Promise<Frame> {
    const seen: string[] = [];
    for (let frame = await this.next(); frame !== undefined; frame = await this.next()) {
      if (frame.kind === kind) return frame;
      seen.push(JSON.stringify(frame));
    }
    throw new Error(`the connection ended before "${kind}", after ${seen.join(" ")}`);
  }

  /** Send a command and wait for what it came to. */
  async command(kind: string, fields: Fields = {}): Promise<Frame> {
    this.send(kind, { ref: "r", ...fields });
    for (let frame = await this.next(); frame !== undefined; frame = await this.next()) {
      if (frame["ref"] === "r") return frame;
    }
    throw new Error("the connection ended before the answer");
  }

  /** What has come of the stream, once `enough` says so. */
  async read(enough: (text: string) => boolean): Promise<string> {
    while (!enough(this.#bytes.toString("latin1"))) {
      if (this.#ended)
        throw new Error(`the stream ended with ${JSON.stringify(this.#bytes.toString("latin1"))}`);
      await this.#more();
    }
    return this.#take().toString();
  }

  /** All that comes until the peer closes. */
  async readAll(): Promise<Buffer> {
    while (!this.#ended) await this.#more();
    return this.#take();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  async #more(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting = resolve;
    const deadline = setTimeout(() => {
      reject(new Error(`nothing came after ${JSON.stringify(this.#bytes.toString("latin1").slice(-500))}`));
    }, deadlineMs);
    await promise.finally(() => clearTimeout(deadline));
  }

  #take(): Buffer {
    const bytes = this.#bytes;
    this.#bytes = Buffer.alloc(0);
    return bytes;
  }
}

function parseFields(fields: readonly string[]): Frame {
  const frame: Record<string, string> = {};
  for (const field of fields) {
    const at = field.indexOf("=");
    const key = field.slice(0, at);
    const earlier = frame[key];
    frame[key] = earlier === undefined ? field.slice(at + 1) : `${earlier},${field.slice(at + 1)}`;
  }
  return { kind: "", ...frame };
}

/** Docker's 8-byte headed frames, put together by stream. */
export function demultiplex(bytes: Buffer): { readonly stdout: string; readonly stderr: string } {
  const texts = ["", "", ""];
  let rest = bytes;
  while (rest.length > 0) {
    const [stream = 0] = rest;
    const length = rest.readUInt32BE(4);
    texts[stream] += rest.subarray(8, 8 + length).toString();
    rest = rest.subarray(8 + length);
  }
  return { stdout: texts[1] ?? "", stderr: texts[2] ?? "" };
}
