/**
 * Bytes on their way from one who pushes to one who iterates. `onFull` and `onDrained` carry back-pressure to the source;
 * leaving the iteration early calls `onAbandoned`. For one reader.
 */
export class ByteQueue implements AsyncIterable<Buffer> {
  readonly #chunks: Buffer[] = [];
  readonly #hooks: ByteQueueHooks;
  #sizeBytes = 0;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(hooks: ByteQueueHooks) {
    this.#hooks = hooks;
  }

  push(chunk: Buffer): void {
    if (this.#ended || chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes >= highWaterBytes) this.#hooks.onFull();
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** What was pushed before is still given; then the iteration throws. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#error = error;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    let complete = false;
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#sizeBytes -= chunk.length;
          if (this.#sizeBytes < highWaterBytes) this.#hooks.onDrained();
          yield chunk;
          continue;
        }
        if (this.#ended) {
          complete = true;
          if (this.#error !== undefined) throw this.#error;
          return;
        }
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
        this.#wake = undefined;
      }
    } finally {
      if (!complete) this.#hooks.onAbandoned();
    }
  }
}

export interface ByteQueueHooks {
  onFull(): void;
  onDrained(): void;
  onAbandoned(): void;
}

const highWaterBytes = 256 << 10;
