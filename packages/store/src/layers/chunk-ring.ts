const slotCount = 4;
/** So much that waking the other side is little beside it, and no more than a processor's cache has. */
const slotBytes = 512 * 1024;

/** Counts in the head, each written by one side alone: slots that were filled, slots that are free again. */
const filledAt = 0;
const freedAt = 1;
const lengthsAt = 2;
const headBytes = (lengthsAt + slotCount) * Int32Array.BYTES_PER_ELEMENT;

/**
 * Bytes from one thread to another one, in order, through memory that both have: each side makes one of these of it.
 *
 *     filled int32 | freed int32 | length int32 of each slot | the slots; an empty one is the end
 *
 * Who must wait holds his thread: for workers that have nothing else to do. Terminating a worker ends its waiting.
 */
export class ChunkRing {
  readonly memory: SharedArrayBuffer;
  readonly #head: Int32Array;
  readonly #slots: readonly Buffer[];
  /** Slots that this side is done with. */
  #done = 0;
  /** Of the slot that is being filled. */
  #length = 0;

  constructor(memory = new SharedArrayBuffer(headBytes + slotCount * slotBytes)) {
    this.memory = memory;
    this.#head = new Int32Array(memory, 0, lengthsAt + slotCount);
    this.#slots = Array.from({ length: slotCount }, (_, at) =>
      Buffer.from(memory, headBytes + at * slotBytes, slotBytes),
    );
  }

  /** Where the next bytes may be put by whoever then gives them to `put`. Waits for it. */
  room(): Buffer {
    let freed = Atomics.load(this.#head, freedAt);
    while (this.#done - freed >= slotCount) {
      Atomics.wait(this.#head, freedAt, freed);
      freed = Atomics.load(this.#head, freedAt);
    }
    return this.#slot();
  }

  /**
   * Give bytes to the other side: what lies in `room` as it is, anything else when a slot is full. Its memory may be used again. Of
   * one ring all bytes are the one, or all the other.
   */
  put(bytes: Uint8Array): void {
    if (bytes.buffer === this.memory) {
      this.#fill(bytes.length);
      return;
    }
    for (let at = 0; at < bytes.length; ) {
      const room = this.room().subarray(this.#length);
      const part = bytes.subarray(at, at + room.length);
      room.set(part);
      at += part.length;
      this.#length += part.length;
      if (part.length === room.length) this.#fill(slotBytes);
    }
  }

  /** There is no more. */
  end(): void {
    if (this.#length > 0) this.#fill(this.#length);
    this.room();
    this.#fill(0);
  }

  /** What the other side puts, until it ends. A chunk is good until the next one is asked for. */
  *take(): Generator<Buffer, void, undefined> {
    for (;;) {
      while (Atomics.load(this.#head, filledAt) === this.#done)
        Atomics.wait(this.#head, filledAt, this.#done);
      const length = this.#head[lengthsAt + (this.#done % slotCount)] ?? 0;
      if (length === 0) return;
      yield this.#slot().subarray(0, length);
      this.#tell(freedAt);
    }
  }

  #slot(): Buffer {
    const slot = this.#slots[this.#done % slotCount];
    if (slot === undefined) throw new Error("a ring has all of its slots");
    return slot;
  }

  #fill(length: number): void {
    this.#head[lengthsAt + (this.#done % slotCount)] = length;
    this.#length = 0;
    this.#tell(filledAt);
  }

  #tell(count: typeof filledAt | typeof freedAt): void {
    Atomics.store(this.#head, count, ++this.#done);
    Atomics.notify(this.#head, count);
  }
}
