/** How far something is, which the next report makes old. */
export interface Progress {
  /** What it is the progress of. */
  readonly key: string;
  readonly isComplete: boolean;
}

const progressStepMs = 100;

/**
 * Events from work that goes on to a reader who may be slow: what is only progress is told at most ten times a second and
 * forgotten when newer is there, so that what waits is bounded by the number of things that are worked on.
 */
export class TransferFeed<T> {
  readonly #now: () => number;
  readonly #waiting = new Map<string | symbol, T>();
  readonly #toldMs = new Map<string, number>();
  #wake: () => void = () => {};

  /** @param now milliseconds, from anywhere */
  constructor(now: () => number) {
    this.#now = now;
  }

  put(event: T): void {
    this.#waiting.set(Symbol(), event);
    this.#wake();
  }

  putProgress(event: T, { key, isComplete }: Progress): void {
    const nowMs = this.#now();
    if (!isComplete && nowMs - (this.#toldMs.get(key) ?? Number.NEGATIVE_INFINITY) < progressStepMs) return;
    this.#toldMs.set(key, nowMs);
    this.#waiting.set(key, event);
    this.#wake();
  }

  /** The events of `work`, until it is done; its failure comes after them. Leaving early is told to `work`. */
  async *during(
    work: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): AsyncGenerator<T, void, undefined> {
    const left = new AbortController();
    let isDone = false;
    const working = work(AbortSignal.any([signal, left.signal])).finally(() => {
      isDone = true;
      this.#wake();
    });
    working.catch(() => {}); // thrown below
    try {
      for (;;) {
        const [next] = this.#waiting;
        if (next !== undefined) {
          this.#waiting.delete(next[0]);
          yield next[1];
        } else if (isDone) break;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
      await working;
    } finally {
      left.abort();
      await working.catch(() => {});
    }
  }
}
