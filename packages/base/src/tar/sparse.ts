import type { PaxRecords, SparseSegment } from "./pax.ts";
import { tarFaults } from "./tar-faults.ts";
import { parseTarNumber } from "./tar-field.ts";

/** Pairs of offset and length as segments. @throws {Fault} `data-loss` when one lacks its partner. */
export function pairSegments(numbers: readonly number[]): SparseSegment[] {
  if (numbers.length % 2 !== 0) throw tarFaults.TAR_DAMAGED("the map of a sparse file is incomplete");
  const segments: SparseSegment[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    segments.push({ offset: numbers[index] ?? 0, length: numbers[index + 1] ?? 0 });
  }
  return segments;
}

/**
 * Check what the archive claims: pieces in order, none over another or beyond the file's end, together as long as the
 * data that follows.
 *
 * @throws {Fault} `data-loss`
 */
export function checkSegments(segments: readonly SparseSegment[], realSize: number, dataBytes: number): void {
  let end = 0;
  let total = 0;
  for (const { offset, length } of segments) {
    if (offset < end) throw tarFaults.TAR_DAMAGED("the pieces of a sparse file overlap");
    end = offset + length;
    total += length;
    if (!Number.isSafeInteger(end) || end > realSize) {
      throw tarFaults.TAR_DAMAGED("a piece of a sparse file lies beyond its end");
    }
  }
  if (total !== dataBytes) throw tarFaults.TAR_DAMAGED("the map of a sparse file does not fit its data");
}

/** Old GNU headers (type S): up to `count` pairs of 12-byte numbers; an empty one ends the list. */
export function parseOldSparsePairs(block: Buffer, at: number, count: number): SparseSegment[] {
  const segments: SparseSegment[] = [];
  for (let index = 0; index < count; index++) {
    const start = at + index * 24;
    if (block[start + 12] === 0) break;
    const segment = {
      offset: parseTarNumber(block, start, start + 12, "sparse offset"),
      length: parseTarNumber(block, start + 12, start + 24, "sparse length"),
    };
    if (segment.offset < 0 || segment.length < 0) throw tarFaults.TAR_DAMAGED("a sparse piece is negative");
    segments.push(segment);
  }
  return segments;
}

/** PAX sparse version 1.0 puts its map before the data. */
export function isSparseOnePointZero(sparse: NonNullable<PaxRecords["sparse"]>): boolean {
  return sparse.major === 1 && sparse.minor === 0;
}

/**
 * Reads the map of PAX sparse 1.0, block by block: decimal numbers, each with a newline; first the number of pieces,
 * then offset and length of each; padded to a block.
 */
export class SparseMapReader {
  readonly #numbers: number[] = [];
  #wanted = 1;
  #rest = "";

  /** The whole map once its last block is in, before that `undefined`. @throws {Fault} `data-loss` when it is none. */
  push(block: Buffer): SparseSegment[] | undefined {
    const lines = (this.#rest + block.toString("latin1")).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const number = /^[0-9]{1,16}$/.test(line) ? Number(line) : Number.NaN;
      if (!Number.isSafeInteger(number)) throw notNumbers();
      if (this.#numbers.length === 0) this.#wanted = 1 + 2 * number;
      this.#numbers.push(number);
      if (this.#numbers.length === this.#wanted) return pairSegments(this.#numbers.slice(1));
    }
    if (this.#rest.length > 16) throw notNumbers();
    return undefined;
  }
}

function notNumbers() {
  return tarFaults.TAR_DAMAGED("the map of a sparse file is not a list of numbers");
}
