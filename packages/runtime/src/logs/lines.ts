import type { FileHandle } from "node:fs/promises";

const blockBytes = 64 * 1024;
const newline = 0x0a;

/** An entry holds 16 KiB of output, at most six characters for a byte. A longer line is none of ours. */
const maxLineBytes = 256 * 1024;

/** Reads a file line by line, forwards, from a position; where it ends it can go on when there is more. */
export class LineReader {
  readonly #handle: FileHandle;
  readonly #block = Buffer.allocUnsafe(blockBytes);
  #position: number;
  #partial: Buffer[] = [];
  #partialBytes = 0;

  constructor(handle: FileHandle, position = 0) {
    this.#handle = handle;
    this.#position = position;
  }

  /** Up to where whole lines have been read. */
  get consumedBytes(): number {
    return this.#position - this.#partialBytes;
  }

  /**
   * The lines of the next block, without their newlines; `undefined` at the end of the file, or of its first `endBytes`
   * bytes. A line that is not complete yet is held back; one that is too long is left out.
   */
  async read(endBytes = Number.POSITIVE_INFINITY): Promise<readonly string[] | undefined> {
    const wanted = Math.min(blockBytes, endBytes - this.#position);
    if (wanted <= 0) return undefined;
    const { bytesRead } = await this.#handle.read(this.#block, 0, wanted, this.#position);
    if (bytesRead === 0) return undefined;
    this.#position += bytesRead;
    return this.#split(this.#block.subarray(0, bytesRead));
  }

  /** The file has become shorter than what was read of it: it was emptied in place. Begin again. */
  restartWhenTruncated(sizeBytes: number): void {
    if (sizeBytes >= this.#position) return;
    this.#position = 0;
    this.#take(Buffer.alloc(0));
  }

  #split(block: Buffer): readonly string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = block.indexOf(newline); end >= 0; end = block.indexOf(newline, start)) {
      const line = this.#take(block.subarray(start, end));
      if (line !== undefined) lines.push(line);
      start = end + 1;
    }
    this.#hold(block.subarray(start));
    return lines;
  }

  /** Complete the line that was held back; `undefined` when it is too long. */
  #take(end: Buffer): string | undefined {
    const isTooLong = this.#partialBytes + end.length > maxLineBytes;
    const line = isTooLong ? undefined : Buffer.concat([...this.#partial, end]).toString("utf8");
    this.#partial = [];
    this.#partialBytes = 0;
    return line;
  }

  #hold(rest: Buffer): void {
    this.#partialBytes += rest.length;
    if (this.#partialBytes > maxLineBytes) this.#partial = [];
    else if (rest.length > 0) this.#partial.push(Buffer.from(rest));
  }
}

/**
 * The lines of the first `sizeBytes` bytes of a file from its end backwards, each with where it starts. What comes after
 * the last newline is no line. Holds one line and one block.
 */
export async function* readLinesBackwards(
  handle: FileHandle,
  sizeBytes: number,
): AsyncGenerator<{ readonly line: string; readonly position: number }> {
  const block = Buffer.allocUnsafe(blockBytes);
  let tail = Buffer.alloc(0);
  let isComplete = false;
  for (let end = sizeBytes; end > 0; ) {
    const start = Math.max(0, end - blockBytes);
    const { bytesRead } = await handle.read(block, 0, end - start, start);
    if (bytesRead < end - start) return; // truncated meanwhile: there is nothing behind us any more
    let cut = bytesRead;
    for (let at = block.lastIndexOf(newline, cut - 1); at >= 0; ) {
      if (isComplete) {
        const line = Buffer.concat([block.subarray(at + 1, cut), tail]).toString("utf8");
        yield { line, position: start + at + 1 };
      }
      isComplete = true;
      tail = Buffer.alloc(0);
      cut = at;
      at = at === 0 ? -1 : block.lastIndexOf(newline, at - 1);
    }
    if (isComplete) tail = Buffer.concat([block.subarray(0, cut), tail]).subarray(0, maxLineBytes);
    end = start;
  }
  if (isComplete) yield { line: tail.toString("utf8"), position: 0 };
}
