/** Messages on their way to a caller who reads when he likes: whoever adds more than a few waits. */
export class MessageQueue<T> implements AsyncIterable<T>, Disposable {
  readonly #waiting: { readonly message: T; readonly taken: () => void }[] = [];
  #news = Promise.withResolvers<void>();
  #end: { readonly error?: unknown } | undefined;

  /** Settles when there is room for more, or nobody reads any longer. */
  async push(message: T): Promise<void> {
    if (this.#end !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ message, taken: resolve });
    this.#news.resolve();
    if (this.#waiting.length > maxAhead) await promise;
  }

  /** Nothing more comes. */
  end(): void {
    this.#end ??= {};
    this.#news.resolve();
  }

  /** Nothing more comes because something failed; readers are told. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#news.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        next.taken();
        yield next.message;
      } else if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      } else {
        await this.#news.promise;
        this.#news = Promise.withResolvers();
      }
    }
  }

  [Symbol.dispose](): void {
    this.end();
    for (const { taken } of this.#waiting.splice(0)) taken();
  }
}

const maxAhead = 8;
