/** Things by name, for which others may wait: the calls that belong together come over several connections, in any order. */
export class Arrivals<T> {
  readonly #there = new Map<string, T>();
  #changed = Promise.withResolvers<void>();

  has(id: string): boolean {
    return this.#there.has(id);
  }

  values(): Iterable<T> {
    return this.#there.values();
  }

  set(id: string, value: T): void {
    this.#there.set(id, value);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  delete(id: string): void {
    this.#there.delete(id);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** `undefined`: it has not come in time, or it is `isOver`, as a change has shown. @throws the reason of `signal` */
  async wait(
    id: string,
    {
      timeoutMs,
      signal,
      isOver = () => false,
    }: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly isOver?: () => boolean },
  ): Promise<T | undefined> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const { promise: over, resolve } = Promise.withResolvers<void>();
    deadline.addEventListener("abort", () => resolve(), { once: true });
    for (;;) {
      signal.throwIfAborted();
      const found = this.#there.get(id);
      if (found !== undefined || deadline.aborted || isOver()) return found;
      await Promise.race([this.#changed.promise, over]);
    }
  }
}
