import type { Container } from "./container.ts";
import type { ContainerId } from "./container-record.ts";

/** Containers that wait to be started again by their restart policy, each with its timer. */
export class Restarts implements Disposable {
  readonly #start: (container: Container) => Promise<void>;
  readonly #timers = new Map<ContainerId, NodeJS.Timeout>();
  #disposed = false;

  /** @param options.start starts a container whose time has come; it tells its failures itself and never rejects */
  constructor(options: { readonly start: (container: Container) => Promise<void> }) {
    this.#start = options.start;
  }

  /** Start a container after a pause. One that waits already waits anew. */
  schedule(container: Container, delayMs: number): void {
    if (this.#disposed) return; // its record says that it is to restart: the next engine does it
    this.cancel(container.id);
    const timer = setTimeout(() => {
      this.#timers.delete(container.id);
      void this.#start(container);
    }, delayMs);
    this.#timers.set(container.id, timer);
  }

  waits(id: ContainerId): boolean {
    return this.#timers.has(id);
  }

  /** Forget that a container waits. One that does not is no error. */
  cancel(id: ContainerId): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  /** Nothing is started from now on. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const id of this.#timers.keys()) this.cancel(id);
  }
}
