import { type PaxRecords, parsePaxRecords, type SparseSegment } from "./pax.ts";
import {
  checkSegments,
  isSparseOnePointZero,
  pairSegments,
  parseOldSparsePairs,
  SparseMapReader,
} from "./sparse.ts";
import type { TarEntry } from "./tar-entry.ts";
import { tarFaults } from "./tar-faults.ts";
import { hasValidChecksum, parseTarNumber, parseTarText, tarBlockBytes } from "./tar-field.ts";
import { interpretHeader } from "./tar-header.ts";

export interface TarLimits {
  /** Headers of every kind. */
  readonly maxEntries: number;
  /** One extended header, long name or sparse map. */
  readonly maxMetadataBytes: number;
  readonly maxPathBytes: number;
}

export const defaultTarLimits: TarLimits = {
  maxEntries: 10_000_000,
  maxMetadataBytes: 1 << 20,
  maxPathBytes: 4095,
};

/**
 * What a tar archive is made of, in order: for each entry one `entry`, for files any number of `data` (never empty, in
 * rising order; `offset` is where in the file it belongs), one `end`. Bytes are views into what was fed.
 */
export type TarEvent =
  | { readonly kind: "entry"; readonly entry: TarEntry }
  | { readonly kind: "data"; readonly bytes: Buffer; readonly offset: number }
  | { readonly kind: "end" };

/** What the parser waits for: the next block, the bytes of a metadata entry, file data, padding; or nothing more. */
type State = "header" | "metadata" | "sparse-extension" | "sparse-map" | "data" | "padding" | "done";

/**
 * Reads a tar archive (v7, ustar, PAX, GNU with its sparse files, star) as bytes come, without input or output of its
 * own: feed chunks of any size, take events. Where programs disagree about an archive it reads as Go's archive/tar
 * does, which is what container tools use; global PAX headers are applied as POSIX says.
 *
 * The archive ends with a zero block or with the input between two entries; what follows a zero block is ignored.
 *
 * @example
 * const parser = new TarParser();
 * for await (const chunk of stream) for (const event of parser.feed(chunk)) take(event);
 * parser.finish();
 */
export class TarParser {
  readonly #limits: TarLimits;
  #state: State = "header";
  #entries = 0;

  /** Blocks or metadata that are not complete yet. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  #metadataType = "";
  #metadataBytes = 0;

  #global: PaxRecords = { xattrs: new Map() };
  #local: PaxRecords = { xattrs: new Map() };
  #hasGlobal = false;
  #hasLocal = false;

  #entry: TarEntry | undefined;
  #segments: SparseSegment[] | undefined;
  #segmentIndex = 0;
  #segmentDone = 0;
  #mapReader: SparseMapReader | undefined;
  #sparseBlocks = 0;
  #storedBytes = 0;
  #remaining = 0;
  #padding = 0;
  #offset = 0;

  /** Events of one step of `feed`. */
  readonly #told: TarEvent[] = [];

  constructor(limits: Partial<TarLimits> = {}) {
    this.#limits = { ...defaultTarLimits, ...limits };
  }

  /**
   * Events that `chunk` completes. The generator must be run to its end before the next call.
   *
   * @throws {Fault} `data-loss` when the archive is damaged, `invalid-argument` when it holds what is not supported or
   * goes beyond the limits. The parser is of no use after that.
   */
  *feed(chunk: Uint8Array): Generator<TarEvent, void, undefined> {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (at < buffer.length) {
      switch (this.#state) {
        case "done":
          return;
        case "data": {
          const taken = buffer.subarray(at, at + Math.min(this.#remaining, buffer.length - at));
          at += taken.length;
          this.#takeData(taken);
          break;
        }
        case "padding": {
          const skipped = Math.min(this.#padding, buffer.length - at);
          at += skipped;
          this.#padding -= skipped;
          if (this.#padding === 0) this.#state = "header";
          break;
        }
        case "header":
        case "sparse-extension":
        case "sparse-map":
        case "metadata": {
          const wanted = this.#state === "metadata" ? paddedBytes(this.#metadataBytes) : tarBlockBytes;
          const taken = buffer.subarray(at, at + Math.min(wanted - this.#pendingBytes, buffer.length - at));
          at += taken.length;
          if (this.#pendingBytes + taken.length < wanted) {
            // Kept beyond this call, when the caller may reuse its memory.
            this.#pending.push(Buffer.from(taken));
            this.#pendingBytes += taken.length;
            return;
          }
          const whole = this.#pendingBytes === 0 ? taken : Buffer.concat([...this.#pending, taken]);
          this.#pending = [];
          this.#pendingBytes = 0;
          this.#takeWhole(whole);
        }
      }
      if (this.#told.length > 0) yield* this.#told.splice(0);
    }
  }

  /**
   * To be called when the input ends. What may be missing is what says nothing: the end marks and the padding of the last
   * file, which Docker's CLI leaves out when it puts a Dockerfile from elsewhere into a context.
   *
   * @throws {Fault} `data-loss` when the archive should go on.
   */
  finish(): void {
    const isBetween = this.#state === "header" && this.#pendingBytes === 0 && !this.#hasLocal;
    if (this.#state === "done" || this.#state === "padding" || isBetween) return;
    throw tarFaults.TAR_TRUNCATED(this.#state === "data" ? "a file" : "a header");
  }

  #takeWhole(block: Buffer): void {
    switch (this.#state) {
      case "header":
        this.#takeHeader(block);
        return;
      case "metadata":
        this.#takeMetadata(block.subarray(0, this.#metadataBytes));
        this.#state = "header";
        return;
      case "sparse-extension": {
        this.#segments?.push(...parseOldSparsePairs(block, 0, 21));
        this.#countSparseBlock();
        if (block[504] !== 0) return;
        this.#startData();
        return;
      }
      case "sparse-map": {
        this.#storedBytes -= tarBlockBytes;
        if (this.#storedBytes < 0)
          throw tarFaults.TAR_DAMAGED("the map of a sparse file is longer than the file");
        this.#countSparseBlock();
        this.#segments = this.#mapReader?.push(block);
        if (this.#segments === undefined) return;
        this.#startData();
        return;
      }
      case "data":
      case "padding":
      case "done":
        throw new Error(`no block is wanted in state ${this.#state}`);
    }
  }

  #takeHeader(block: Buffer): void {
    if (block[0] === 0 && block.every((byte) => byte === 0)) {
      if (this.#hasLocal) throw tarFaults.TAR_DAMAGED("an extended header without the entry that it extends");
      this.#state = "done";
      return;
    }
    if (!hasValidChecksum(block)) throw tarFaults.TAR_DAMAGED("a header's checksum is wrong");
    if (++this.#entries > this.#limits.maxEntries) {
      throw tarFaults.TAR_LIMIT("it has too many entries", this.#limits.maxEntries);
    }
    const type = String.fromCharCode(block[156] ?? 0);
    if ("xgXLK".includes(type)) {
      this.#startMetadata(type, block);
      return;
    }
    this.#startEntry(block, type);
  }

  #startMetadata(type: string, block: Buffer): void {
    const size = parseTarNumber(block, 124, 136, "size");
    if (size < 0) throw tarFaults.TAR_DAMAGED("an extended header's size is negative");
    if (size > this.#limits.maxMetadataBytes) {
      throw tarFaults.TAR_LIMIT(`an extended header has ${size} bytes`, this.#limits.maxMetadataBytes);
    }
    this.#metadataType = type;
    this.#metadataBytes = size;
    if (type === "g") this.#hasGlobal = true;
    else this.#hasLocal = true;
    if (size === 0) return;
    this.#state = "metadata";
  }

  #takeMetadata(data: Buffer): void {
    switch (this.#metadataType) {
      // Copied: the records are views that outlive the caller's chunk.
      case "g":
        parsePaxRecords(Buffer.from(data), this.#global);
        return;
      case "L":
        this.#local.path = Buffer.from(parseTarText(data));
        return;
      case "K":
        this.#local.linkPath = Buffer.from(parseTarText(data));
        return;
      default:
        // Solaris' X is an x by another name.
        parsePaxRecords(Buffer.from(data), this.#local);
    }
  }

  #startEntry(block: Buffer, type: string): void {
    const records = this.#hasLocal || this.#hasGlobal ? this.#records() : noRecords;
    if (this.#hasLocal) {
      this.#local = { xattrs: new Map() };
      this.#hasLocal = false;
    }
    const header = interpretHeader(block, type, records);
    const pathBytes = Math.max(header.entry.path.length, header.entry.linkPath.length);
    if (pathBytes > this.#limits.maxPathBytes) {
      throw tarFaults.TAR_LIMIT(`a name has ${pathBytes} bytes`, this.#limits.maxPathBytes);
    }
    this.#entry = header.entry;
    this.#storedBytes = header.storedBytes;
    this.#padding = paddedBytes(header.storedBytes) - header.storedBytes;
    this.#segments = undefined;
    this.#mapReader = undefined;
    this.#sparseBlocks = 0;
    if (type === "S") {
      this.#segments = parseOldSparsePairs(block, 386, 4);
      if (block[482] !== 0) {
        this.#state = "sparse-extension";
        return;
      }
    } else if (records.sparse !== undefined && header.entry.sparse) {
      if (isSparseOnePointZero(records.sparse)) {
        this.#mapReader = new SparseMapReader();
        this.#state = "sparse-map";
        return;
      }
      this.#segments = pairSegments(records.sparse.numbers);
    }
    this.#startData();
  }

  /** What extends the next entry. */
  #records(): PaxRecords {
    const xattrs = new Map([...this.#global.xattrs, ...this.#local.xattrs]);
    return { ...this.#global, ...this.#local, xattrs };
  }

  #countSparseBlock(): void {
    if (++this.#sparseBlocks * tarBlockBytes > this.#limits.maxMetadataBytes) {
      throw tarFaults.TAR_LIMIT("the map of a sparse file is too long", this.#limits.maxMetadataBytes);
    }
  }

  #startData(): void {
    const entry = this.#entry;
    if (entry === undefined) throw new Error("no entry is being read");
    if (this.#segments !== undefined) checkSegments(this.#segments, entry.sizeBytes, this.#storedBytes);
    this.#remaining = this.#storedBytes;
    this.#segmentIndex = 0;
    this.#segmentDone = 0;
    this.#offset = 0;
    this.#told.push({ kind: "entry", entry });
    if (this.#remaining > 0) this.#state = "data";
    else this.#endEntry();
  }

  #takeData(bytes: Buffer): void {
    this.#remaining -= bytes.length;
    if (this.#segments === undefined) {
      this.#told.push({ kind: "data", bytes, offset: this.#offset });
      this.#offset += bytes.length;
    } else {
      this.#takeSparseData(bytes, this.#segments);
    }
    if (this.#remaining === 0) this.#endEntry();
  }

  #takeSparseData(bytes: Buffer, segments: readonly SparseSegment[]): void {
    let at = 0;
    while (at < bytes.length) {
      const segment = segments[this.#segmentIndex];
      if (segment === undefined)
        throw tarFaults.TAR_DAMAGED("the map of a sparse file does not fit its data");
      const taken = bytes.subarray(at, at + segment.length - this.#segmentDone);
      if (taken.length > 0)
        this.#told.push({ kind: "data", bytes: taken, offset: segment.offset + this.#segmentDone });
      at += taken.length;
      this.#segmentDone += taken.length;
      if (this.#segmentDone === segment.length) {
        this.#segmentIndex++;
        this.#segmentDone = 0;
      }
    }
  }

  #endEntry(): void {
    this.#entry = undefined;
    this.#state = this.#padding > 0 ? "padding" : "header";
    this.#told.push(ended);
  }
}

const ended: TarEvent = { kind: "end" };

/** Of most entries. */
const noRecords: PaxRecords = { xattrs: new Map() };

function paddedBytes(size: number): number {
  return Math.ceil(size / tarBlockBytes) * tarBlockBytes;
}
