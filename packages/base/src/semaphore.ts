/** Lets so many in at once; the others wait in line. */
export class Semaphore {
  #places: number;
  /** Below zero: so many who are in have no place any more. */
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(places: number) {
    this.#places = places;
    this.#free = places;
  }

  /** Whoever asks for a place now must wait. */
  get isFull(): boolean {
    return this.#free <= 0;
  }

  /** A place, until it is disposed of. Rejects with the signal's reason. */
  async acquire(signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release();
        held = false;
      },
    };
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => {
      if (this.#waiting.delete(resolve)) reject(signal?.reason);
    };
    this.#waiting.add(resolve);
    signal?.addEventListener("abort", abort);
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Have so many places from now on; who is in stays in. */
  resize(places: number): void {
    const more = places - this.#places;
    this.#places = places;
    this.#free -= Math.max(0, -more);
    for (let added = 0; added < more; added++) this.#release();
  }

  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined || this.#free < 0) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
