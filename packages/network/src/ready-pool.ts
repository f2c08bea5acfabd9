import { networkFaults } from "./faults.ts";

export interface ReadyPoolOptions<T> {
  /** How many to hold ready. */
  readonly size: number;
  /** How many to make at the same time. */
  readonly concurrency: number;
  /** How long after something was taken to refill, so that making does not compete with its use; at once when empty. */
  readonly refillDelayMs: number;
  readonly make: () => Promise<T>;
  /** Undo what `make` did. */
  readonly discard: (item: T) => void;
  /** Making failed and nobody waited for it. Refilling goes on with the next `acquire`. */
  readonly onError: (error: unknown) => void;
}

interface Waiter<T> {
  readonly resolve: (item: T) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Things that take a while to make, made ahead. It holds neither the process nor anything else alive: what is ready when
 * the process dies must be of a kind that dies with it.
 */
export class ReadyPool<T> implements AsyncDisposable {
  readonly #options: ReadyPoolOptions<T>;
  readonly #ready: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();
  readonly #making = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ReadyPoolOptions<T>) {
    this.#options = options;
    this.#fill();
  }

  /**
   * One that is ready, or else the next one to be made; first come, first served.
   *
   * @throws {Fault} `unavailable` when the pool is closed; whatever `make` or the abort throws.
   */
  async acquire(signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#closed) throw networkFaults.CLOSED();
    const item = this.#ready.shift();
    if (item !== undefined) {
      this.#fillLater();
      return item;
    }
    return await this.#next(signal);
  }

  /** The first one that fits of those that are ready or being made now. */
  async takeIf(fits: (item: T) => boolean): Promise<T | undefined> {
    return this.#takeReady(fits) ?? (await Promise.all(this.#making).then(() => this.#takeReady(fits)));
  }

  /** Discards what is ready; who waits is refused. Ends when nothing is being made any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const waiter of this.#waiters) waiter.reject(networkFaults.CLOSED());
    this.#waiters.clear();
    for (const item of this.#ready.splice(0)) this.#options.discard(item);
    await Promise.all(this.#making);
  }

  async #next(signal: AbortSignal | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiter = { resolve, reject };
    const abort = () => {
      this.#waiters.delete(waiter);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiters.add(waiter);
    this.#fill();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #takeReady(fits: (item: T) => boolean): T | undefined {
    const index = this.#ready.findIndex(fits);
    if (index < 0) return undefined;
    this.#fillLater();
    return this.#ready.splice(index, 1)[0];
  }

  #fillLater(): void {
    if (this.#ready.length === 0) {
      this.#fill();
      return;
    }
    this.#timer ??= setTimeout(() => this.#fill(), this.#options.refillDelayMs).unref();
  }

  #fill(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { size, concurrency } = this.#options;
    while (
      !this.#closed &&
      this.#making.size < concurrency &&
      this.#ready.length + this.#making.size < size + this.#waiters.size
    ) {
      const making = this.#makeOne().then((made) => {
        this.#making.delete(making);
        if (made || this.#waiters.size > 0) this.#fill();
      });
      this.#making.add(making);
    }
  }

  /** Whether it could be made. One failure is one waiter's; the others get a try of their own. */
  async #makeOne(): Promise<boolean> {
    let item: T;
    try {
      item = await this.#options.make();
    } catch (error) {
      const [waiter] = this.#waiters;
      if (waiter === undefined) this.#options.onError(error);
      else this.#waiters.delete(waiter);
      waiter?.reject(error);
      return false;
    }
    this.#give(item);
    return true;
  }

  #give(item: T): void {
    const [waiter] = this.#waiters;
    if (this.#closed) {
      this.#options.discard(item);
    } else if (waiter === undefined) {
      this.#ready.push(item);
    } else {
      this.#waiters.delete(waiter);
      waiter.resolve(item);
    }
  }
}
