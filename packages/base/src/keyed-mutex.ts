import { abortable } from "./abortable.ts";

/**
 * One lock per key, first come first served; a key with no holder costs nothing. Locks of different keys never wait for
 * each other.
 */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>();

  /** Whether somebody works, or waits to, for `key`. */
  isTaken(key: string): boolean {
    return this.#tails.has(key);
  }

  /**
   * Run `work` alone among all work for `key`. Its failure does not affect those that wait.
   *
   * @param signal gives up waiting; work that has begun goes on
   */
  async run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const { promise: done, resolve: release } = Promise.withResolvers<void>();
    const tail = before.then(() => done);
    this.#tails.set(key, tail);
    try {
      await abortable(before, signal);
      return await work();
    } finally {
      release();
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}
