import type { FileHandle } from "node:fs/promises";

const blockBytes = 1 << 20;
/** The first block: what is small needs no more memory, and who reads the file meanwhile has something soon. */
const firstBlockBytes = 64 << 10;

/** So much may be written before the disk is asked to begin with it. */
const flushStepBytes = 16 << 20;

/** Bytes in order, at hand or to come. */
export type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface WriteHooks {
  /** Sees each chunk before it is written. */
  readonly take: (chunk: Uint8Array) => void;
  /** So many bytes can be read from the file. */
  readonly onWritten?: (bytes: number) => void;
}

/**
 * Write what `stream` gives to the end of an empty file, in large blocks, each while the next one comes, and have the disk
 * begin early: the sync at the end, which is the caller's, then finds little left to do. Nothing is being written any more
 * when this returns or throws.
 */
export async function writeFile(
  file: FileHandle,
  stream: Pieces,
  { take, onWritten }: WriteHooks,
): Promise<void> {
  const free = [Buffer.allocUnsafeSlow(firstBlockBytes)];
  let block: Buffer<ArrayBuffer> | undefined;
  let filled = 0;
  let position = 0;
  let flushed = 0;
  let writing: Promise<void> = Promise.resolve();
  let flushing: Promise<void> | undefined;
  const flush = (): void => {
    if (flushing !== undefined || position - flushed < flushStepBytes) return;
    flushed = position;
    flushing = file
      .datasync()
      .catch(() => {}) // the caller's sync says what is wrong
      .finally(() => {
        flushing = undefined;
      });
  };
  const writeBlock = async (full: Buffer<ArrayBuffer>): Promise<void> => {
    await writing;
    const bytes = full.subarray(0, filled);
    const end = position + filled;
    writing = writeAll(file, bytes, position).then(() => {
      if (full.length === blockBytes) free.push(full);
      onWritten?.(end);
    });
    writing.catch(() => {}); // awaited before the next one, and at the end
    position = end;
    filled = 0;
    block = undefined;
    flush();
  };
  try {
    for await (const chunk of stream) {
      take(chunk);
      for (let done = 0; done < chunk.length; ) {
        block ??= free.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
        const part = chunk.subarray(done, done + block.length - filled);
        block.set(part, filled);
        filled += part.length;
        done += part.length;
        if (filled === block.length) await writeBlock(block);
      }
    }
    if (block !== undefined) await writeBlock(block);
    await writing;
  } finally {
    await Promise.allSettled([writing, flushing]);
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}
