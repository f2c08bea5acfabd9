import { storeFaults } from "../faults.ts";

export type ZstdPiece = { readonly kind: "bytes"; readonly bytes: Buffer } | { readonly kind: "end" };

type State =
  | { readonly at: "magic" }
  | { readonly at: "skippable-size" }
  | { readonly at: "descriptor" }
  | { readonly at: "header"; readonly checksum: boolean }
  | { readonly at: "block"; readonly checksum: boolean }
  | { readonly at: "body"; readonly checksum: boolean; readonly last: boolean }
  | { readonly at: "checksum" }
  | { readonly at: "skippable" };

const magicNumber = 0xfd2fb528;
const skippableMask = 0xfffffff0;
const skippableMagic = 0x184d2a50;

/**
 * Finds where the frames of zstd data begin and end (RFC 8878, section 3.1), because Node's decompressor stops after the
 * first; data of several is common (`pzstd`, zstd:chunked). Skippable frames are left out. What is in a frame is the
 * decompressor's to judge.
 */
export class ZstdFrameScanner {
  #state: State = { at: "magic" };
  /** Bytes of a field that are there already, and how many it has. */
  #field = Buffer.alloc(0);
  #fieldBytes = 4;
  /** Bytes of a block or skippable frame still to come. */
  #remaining = 0;

  /** The bytes of each frame in order, with an `end` after its last. @throws {Fault} `data-loss` for what is no frame */
  *feed(chunk: Uint8Array): Generator<ZstdPiece, void, undefined> {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (at < buffer.length) {
      if (this.#state.at === "body" || this.#state.at === "skippable") {
        const taken = buffer.subarray(at, at + Math.min(this.#remaining, buffer.length - at));
        at += taken.length;
        this.#remaining -= taken.length;
        if (this.#state.at === "body") yield { kind: "bytes", bytes: taken };
        if (this.#remaining === 0) yield* this.#endBody(this.#state);
        continue;
      }
      const taken = buffer.subarray(at, at + this.#fieldBytes - this.#field.length);
      at += taken.length;
      this.#field = Buffer.concat([this.#field, taken]);
      if (this.#field.length < this.#fieldBytes) return;
      const field = this.#field;
      this.#field = Buffer.alloc(0);
      yield* this.#takeField(field, this.#state);
    }
  }

  /** When the data ends. @throws {Fault} `data-loss` when a frame should go on */
  finish(): void {
    if (this.#state.at !== "magic" || this.#field.length > 0) {
      throw storeFaults.COMPRESSION_DAMAGED("unexpected end of file");
    }
  }

  *#takeField(field: Buffer, state: State): Generator<ZstdPiece, void, undefined> {
    switch (state.at) {
      case "magic": {
        const magic = field.readUInt32LE(0);
        if ((magic & skippableMask) >>> 0 === skippableMagic) {
          this.#expect({ at: "skippable-size" }, 4);
          return;
        }
        if (magic !== magicNumber) throw storeFaults.COMPRESSION_DAMAGED("data that is no zstd frame");
        this.#expect({ at: "descriptor" }, 1);
        break;
      }
      case "skippable-size":
        this.#expectBody({ at: "skippable" }, field.readUInt32LE(0));
        if (this.#remaining === 0) this.#expect({ at: "magic" }, 4);
        return;
      case "descriptor": {
        const descriptor = field[0] ?? 0;
        const isSingleSegment = (descriptor & 0x20) !== 0;
        const windowBytes = isSingleSegment ? 0 : 1;
        const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
        const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
        const checksum = (descriptor & 0x04) !== 0;
        const headerBytes = windowBytes + dictionaryBytes + contentSizeBytes;
        // Either there is a window or a size, so this is never empty.
        this.#expect({ at: "header", checksum }, headerBytes);
        break;
      }
      case "header":
        this.#expect({ at: "block", checksum: state.checksum }, 3);
        break;
      case "block": {
        const header = field.readUIntLE(0, 3);
        const isRunLength = ((header >> 1) & 3) === 1;
        const next = { at: "body", checksum: state.checksum, last: (header & 1) === 1 } as const;
        yield { kind: "bytes", bytes: field };
        this.#expectBody(next, isRunLength ? 1 : header >> 3);
        if (this.#remaining === 0) yield* this.#endBody(next);
        return;
      }
      case "checksum":
        yield { kind: "bytes", bytes: field };
        yield { kind: "end" };
        this.#expect({ at: "magic" }, 4);
        return;
      case "body":
      case "skippable":
        throw new Error(`no field is wanted at ${state.at}`);
    }
    yield { kind: "bytes", bytes: field };
  }

  *#endBody(
    state: Extract<State, { readonly at: "body" | "skippable" }>,
  ): Generator<ZstdPiece, void, undefined> {
    if (state.at === "skippable") {
      this.#expect({ at: "magic" }, 4);
    } else if (!state.last) {
      this.#expect({ at: "block", checksum: state.checksum }, 3);
    } else if (state.checksum) {
      this.#expect({ at: "checksum" }, 4);
    } else {
      yield { kind: "end" };
      this.#expect({ at: "magic" }, 4);
    }
  }

  #expect(state: State, fieldBytes: number): void {
    this.#state = state;
    this.#fieldBytes = fieldBytes;
  }

  #expectBody(state: State, bytes: number): void {
    this.#state = state;
    this.#remaining = bytes;
  }
}
