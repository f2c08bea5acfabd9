import { pipeline } from "node:stream";
import { createGunzip, createZstdDecompress, zstdDecompressSync } from "node:zlib";
import { errnoOf } from "@hawser/base";
import { storeFaults } from "../faults.ts";
import type { StoreLimits } from "../limits.ts";
import { expandGzip } from "./expand-gzip.ts";
import { prepend, readHead } from "./read-head.ts";
import { ZstdFrameScanner, type ZstdPiece } from "./zstd-frames.ts";

/** Known good for throughput: four times Node's default costs no memory to speak of. */
const chunkBytes = 256 * 1024;

/**
 * `source` without its compression (gzip, zstd, or none), told by its first bytes.
 *
 * @param source a chunk of it is good until the next one is asked for
 * @param options.onPlain called before the first byte when there is no compression
 * @throws {Fault} `data-loss` when it is damaged or ends early, `invalid-argument` when it is compressed in another way
 * or expands beyond the limits. What `source` throws passes through; ending early closes it.
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  limits: Pick<StoreLimits, "maxExpandedBytes" | "maxExpansionRatio" | "ratioFromBytes">,
  options: {
    readonly onPlain?: () => void;
    /** Expand on this thread, which has nothing else to do, and into what this gives: a chunk is good until the next one. */
    readonly room?: () => Uint8Array;
    /** Its digest is compared by the caller, so that sums in it need not be. For what is expanded on this thread. */
    readonly hasDigest?: boolean;
  } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let failure: unknown;
  let compressedBytes = 0;
  const counted = async function* () {
    try {
      for await (const chunk of { [Symbol.asyncIterator]: () => iterator }) {
        compressedBytes += chunk.length;
        yield chunk;
      }
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  const chunks = counted();
  try {
    const head = await readHead(chunks, headBytes);
    const compression = compressionOf(head);
    if (compression === "none") options.onPlain?.();
    const whole = prepend(head, chunks);
    const plain = compression === "none" ? whole : expand(whole, compression, options);
    let expandedBytes = 0;
    for await (const chunk of plain) {
      expandedBytes += chunk.length;
      checkExpansion(compressedBytes, expandedBytes, limits);
      yield chunk;
    }
  } catch (error) {
    throw failure ?? compressionFault(error);
  } finally {
    await chunks.return();
  }
}

const headBytes = 6;

/** Told by the first six bytes. @throws {Fault} `invalid-argument` for one that is not supported */
export function compressionOf(head: Buffer): "none" | "gzip" | "zstd" {
  const magic = head.toString("latin1", 0, headBytes);
  if (magic.startsWith("\x1f\x8b")) return "gzip";
  if (magic.startsWith("\x28\xb5\x2f\xfd") || /^[\x50-\x5f]\x2a\x4d\x18/.test(magic)) return "zstd";
  if (magic.startsWith("BZh")) throw storeFaults.COMPRESSION_UNSUPPORTED("bzip2");
  if (magic === "\xfd7zXZ\0") throw storeFaults.COMPRESSION_UNSUPPORTED("xz");
  return "none";
}

function expand(
  source: AsyncIterable<Uint8Array>,
  compression: "gzip" | "zstd",
  { room, hasDigest = false }: { readonly room?: () => Uint8Array; readonly hasDigest?: boolean },
): AsyncIterable<Uint8Array> {
  if (compression === "zstd") return expandZstd(source);
  if (room !== undefined) return expandGzip(source, { room, checks: !hasDigest });
  // A failure on either side also ends the transform, so that whoever reads it sees it.
  return pipeline(source, createGunzip({ chunkSize: chunkBytes }), () => {});
}

/** Frames up to this are taken in one call: in some archives each file is one. */
const smallFrameBytes = 256 * 1024;
const smallFrameExpandedBytes = 4 << 20;

async function* expandZstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  const pieces = scanFrames(source);
  for (;;) {
    const { head, isWhole } = await readFrameHead(pieces);
    if (head.length === 0) return;
    const small = isWhole ? expandSmallFrame(head) : undefined;
    if (small !== undefined) yield small;
    else {
      const frame = prepend(head, isWhole ? [] : restOfFrame(pieces));
      yield* pipeline(frame, createZstdDecompress({ chunkSize: chunkBytes }), () => {});
    }
  }
}

async function* scanFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<ZstdPiece, void, undefined> {
  const scanner = new ZstdFrameScanner();
  for await (const chunk of source) yield* scanner.feed(Uint8Array.from(chunk)); // pieces are kept
  scanner.finish();
}

async function readFrameHead(
  pieces: AsyncGenerator<ZstdPiece>,
): Promise<{ readonly head: Buffer; readonly isWhole: boolean }> {
  const parts: Buffer[] = [];
  for (let size = 0; size <= smallFrameBytes; ) {
    const next = await pieces.next();
    if (next.done === true) break;
    if (next.value.kind === "end") return { head: Buffer.concat(parts), isWhole: true };
    parts.push(next.value.bytes);
    size += next.value.bytes.length;
  }
  return { head: Buffer.concat(parts), isWhole: false };
}

async function* restOfFrame(pieces: AsyncGenerator<ZstdPiece>): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const next = await pieces.next();
    if (next.done === true || next.value.kind === "end") return;
    yield next.value.bytes;
  }
}

function expandSmallFrame(frame: Buffer): Buffer | undefined {
  try {
    return zstdDecompressSync(frame, { maxOutputLength: smallFrameExpandedBytes });
  } catch (error) {
    if (errnoOf(error) === "ERR_BUFFER_TOO_LARGE") return undefined;
    throw error;
  }
}

function checkExpansion(
  compressedBytes: number,
  expandedBytes: number,
  limits: Pick<StoreLimits, "maxExpandedBytes" | "maxExpansionRatio" | "ratioFromBytes">,
): void {
  if (expandedBytes > limits.maxExpandedBytes) {
    throw storeFaults.EXPANSION_LIMIT(`${limits.maxExpandedBytes} bytes`);
  }
  if (expandedBytes > limits.ratioFromBytes && expandedBytes > compressedBytes * limits.maxExpansionRatio) {
    throw storeFaults.EXPANSION_LIMIT(`${limits.maxExpansionRatio} times its size`);
  }
}

function compressionFault(error: unknown): unknown {
  const code = errnoOf(error) ?? "";
  if (code.startsWith("Z_") || code.startsWith("ZSTD_")) {
    return storeFaults.COMPRESSION_DAMAGED(error instanceof Error ? error.message : code).because(error);
  }
  return error;
}
