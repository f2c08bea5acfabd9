import { constants, gunzipSync, gzipSync, type ZlibOptions } from "node:zlib";
import { errnoOf } from "@hawser/base";

/** An archive, or what was one, and how it is to be given to a decoder. */
export interface GzipCase {
  readonly archive: Buffer;
  /** Bytes at once. */
  readonly inputStep: number;
  readonly outputStep: number;
}

/** What a decoder makes of a case: all that it could expand, or what it finds wrong. */
export type Expanded =
  | { readonly kind: "ended" | "more"; readonly bytes: Buffer }
  | { readonly kind: "damaged"; readonly message: string };

/** Numbers below a bound, the same ones for the same seed: Marsaglia's xorshift. */
function numbersOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Archives of many kinds of data and settings; most of them with damage, in which every rule of the format is broken. */
export function* gzipCases(count: number, seed: number): Generator<GzipCase, void, undefined> {
  const pick = numbersOf(seed);
  const one = <T>(list: readonly [T, ...T[]]): T => list[pick(list.length)] ?? list[0];
  for (let made = 0; made < count; made++) {
    const inputStep = one([1, 3, 40, 1000, 50_000]);
    const outputStep = one([1, 7, 330, 4000, 70_000]);
    const isSlow = inputStep < 10 || outputStep < 10;
    const data = dataOf(pick, pick(isSlow ? 800 : 100_000));
    const archive = pick(8) === 0 ? randomBlocks(pick) : withHead(pick, gzipSync(data, optionsOf(pick)));
    yield { archive: damage(pick, archive), inputStep, outputStep };
  }
}

/** What zlib makes of one. */
export function expandByZlib({ archive }: GzipCase): Expanded {
  try {
    return { kind: "ended", bytes: gunzipSync(archive) };
  } catch (error) {
    if (errnoOf(error) !== "Z_BUF_ERROR") return damagedBy(error);
    return { kind: "more", bytes: gunzipSync(archive, { finishFlush: constants.Z_SYNC_FLUSH }) };
  }
}

/** What a decoder has thrown. */
export function damagedBy(error: unknown): Expanded {
  return { kind: "damaged", message: error instanceof Error ? error.message : String(error) };
}

function optionsOf(pick: (below: number) => number): ZlibOptions {
  return {
    level: pick(10),
    memLevel: 1 + pick(9),
    strategy: pick(5),
    windowBits: 9 + pick(7),
  };
}

function dataOf(pick: (below: number) => number, size: number): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  const whole = () => Buffer.concat(parts);
  while (length < size) {
    const wanted = Math.min(1 + pick(3000), size - length);
    let part: Buffer;
    switch (pick(5)) {
      case 0: // nothing repeats
        part = Buffer.from(Array.from({ length: wanted }, () => pick(256)));
        break;
      case 1: // few values
        part = Buffer.from(Array.from({ length: wanted }, () => 97 + pick(5)));
        break;
      case 2: // matches of short distances
        part = Buffer.alloc(wanted, Buffer.from(Array.from({ length: 1 + pick(40) }, () => pick(256))));
        break;
      case 3: // runs
        part = Buffer.alloc(wanted, pick(256));
        break;
      default: {
        // matches of long distances
        const begin = Math.max(0, length - 1 - pick(33_000));
        part = whole().subarray(begin, begin + wanted);
        if (part.length === 0) part = Buffer.from("x");
      }
    }
    parts.push(part);
    length += part.length;
  }
  return whole().subarray(0, size);
}

/** The same archive with what a head may have besides. RFC 1952, 2.3. */
function withHead(pick: (below: number) => number, archive: Buffer): Buffer {
  const flags = pick(3) === 0 ? pick(32) & ~2 : 0;
  const extra = Buffer.alloc(pick(300), 7);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(extra.length);
  const head = Buffer.from(archive.subarray(0, 10));
  head[3] = flags;
  return Buffer.concat([
    head,
    ...((flags & 4) !== 0 ? [length, extra] : []),
    ...((flags & 8) !== 0 ? [Buffer.from("a name\0")] : []),
    ...((flags & 16) !== 0 ? [Buffer.from("said of it\0")] : []),
    archive.subarray(10),
  ]);
}

/** Blocks that nobody has written: most of them have codes that are none. */
function randomBlocks(pick: (below: number) => number): Buffer {
  const head = gzipSync("").subarray(0, 10);
  const bytes = Buffer.from(Array.from({ length: 20 + pick(600) }, () => pick(256)));
  bytes[0] = ((bytes[0] ?? 0) & ~7) | (pick(3) << 1) | pick(2);
  return Buffer.concat([head, bytes]);
}

function damage(pick: (below: number) => number, archive: Buffer): Buffer {
  const damaged = Buffer.from(archive);
  const flip = (at: number) => {
    damaged[at] = (damaged[at] ?? 0) ^ (1 << pick(8));
  };
  switch (pick(6)) {
    case 0: // the first block's codes
      for (let left = 1 + pick(3); left > 0; left--) flip(Math.min(10 + pick(80), damaged.length - 1));
      break;
    case 1: // anywhere
      for (let left = 1 + pick(3); left > 0; left--) flip(pick(damaged.length));
      break;
    case 2:
      flip(damaged.length - 1 - pick(8));
      break;
    case 3:
      return damaged.subarray(0, pick(damaged.length));
    case 4:
      flip(pick(10));
      break;
    default:
  }
  return damaged;
}
