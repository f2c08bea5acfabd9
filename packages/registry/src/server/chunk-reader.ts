import { open } from "node:fs/promises";

/** A few who read get large chunks, which cost less; many get small ones, so that all buffers together stay small. */
const largeChunkBytes = 1 << 20;
const smallChunkBytes = 64 << 10;
const fewReaders = 32;

/** Reads files of a registry for all of its clients. */
export class ChunkReader {
  #readers = 0;

  /** Part of a file, or all, into one buffer, again and again: a chunk is good until the next one is asked for. */
  async *read(
    path: string,
    range?: { readonly start: number; readonly end: number },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    await using file = await open(path, "r");
    const end = range === undefined ? (await file.stat()).size : range.end + 1;
    let position = range?.start ?? 0;
    const chunkBytes = this.#readers < fewReaders ? largeChunkBytes : smallChunkBytes;
    const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(chunkBytes, end - position)));
    this.#readers += 1;
    try {
      while (position < end) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position);
        if (bytesRead === 0) return;
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      this.#readers -= 1;
    }
  }
}
