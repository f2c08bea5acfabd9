import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { abortable } from "@hawser/base";

/** How often to look when the kernel cannot tell (it limits how many files may be watched). */
const pollMs = 200;

/** Waits for a file, or what its name stands for, to change, until there is nothing more to wait for. */
export class ChangeWatch implements Disposable {
  #watcher: FSWatcher | undefined;
  #changed = Promise.withResolvers<void>();
  #poll: NodeJS.Timeout | undefined;
  #isOver = false;

  /** @param over no change is of interest after this has settled, but for those that came before */
  constructor(path: string, over: Promise<unknown>) {
    const end = () => {
      this.#isOver = true;
      this.#changed.resolve();
    };
    over.then(end, end);
    const name = basename(path);
    try {
      // The folder's watch sees both: writes to the file, and another file getting its name.
      this.#watcher = watch(dirname(path), { persistent: false }, (_event, changed) => {
        if (changed === null || changed === name) this.#changed.resolve();
      });
      this.#watcher.on("error", () => this.#pollInstead());
    } catch {
      this.#pollInstead();
    }
  }

  /** Call before looking at the file: what changes from here on ends the next `wait`. True when this look is the last. */
  prepare(): { readonly isLast: boolean } {
    if (!this.#isOver) this.#changed = Promise.withResolvers();
    return { isLast: this.#isOver };
  }

  /** Returns when something has changed since `prepare`, or the watch is over. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    await abortable(this.#changed.promise, signal);
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    clearInterval(this.#poll);
  }

  #pollInstead(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#poll ??= setInterval(() => this.#changed.resolve(), pollMs).unref();
  }
}
