/** What somebody needs at the moment: each key is held until the last who has asked for it lets go. */
export class Holds<Key> {
  readonly #counts = new Map<Key, number>();

  /** Disposal lets go, once. */
  hold(key: Key): Disposable {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const left = (this.#counts.get(key) ?? 0) - 1;
        if (left > 0) this.#counts.set(key, left);
        else this.#counts.delete(key);
      },
    };
  }

  has(key: Key): boolean {
    return this.#counts.has(key);
  }

  keys(): Iterable<Key> {
    return this.#counts.keys();
  }
}
