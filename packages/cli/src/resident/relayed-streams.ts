import type { Socket } from "node:net";
import { Readable, Writable } from "node:stream";
import { encodeRelayFrame } from "./frames.ts";

/** One output of a stub. Written when the stub, which may be slow, has room for it. */
export class RelayedOutput extends Writable {
  readonly isTTY: boolean;
  columns: number | undefined;
  rows: number | undefined;
  readonly #socket: Socket;
  readonly #kind: string;

  constructor(socket: Socket, options: { readonly kind: "O" | "R"; readonly isTTY: boolean }) {
    super();
    this.#socket = socket;
    this.#kind = options.kind;
    this.isTTY = options.isTTY;
    this.on("error", () => {}); // the stub is gone, which ends its session anyway
  }

  /** The terminal has this size now. */
  resize(size: { readonly rows: number; readonly columns: number }): void {
    ({ rows: this.rows, columns: this.columns } = size);
    this.emit("resize");
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let waiting = 0;
    const settle = (error?: Error | null) => {
      waiting -= 1;
      if (waiting === 0 || error) done(error);
    };
    for (let at = 0; at < chunk.length; at += maxOutputBytes) {
      waiting += 1;
      this.#socket.write(encodeRelayFrame(this.#kind, chunk.subarray(at, at + maxOutputBytes)), settle);
    }
    if (waiting === 0) done();
  }
}

/** What a stub takes in one frame. */
const maxOutputBytes = 65_536;

/** Standard input of a stub, which reads a piece when it is asked to: what no command reads stays where it is. */
export class RelayedInput extends Readable {
  readonly isTTY: boolean;
  readonly #ask: () => void;

  constructor(options: { readonly isTTY: boolean; readonly ask: () => void }) {
    super();
    this.isTTY = options.isTTY;
    this.#ask = options.ask;
  }

  override _read(): void {
    this.#ask();
  }
}
