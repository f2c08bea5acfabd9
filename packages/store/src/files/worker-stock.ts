import { type ResourceLimits, Worker } from "node:worker_threads";

/** Without use for so long, workers that wait are ended: each holds some megabytes. */
const idleMs = 60_000;

/**
 * Workers that wait for their work, started before they are wanted: a thread takes 30 ms of a processor to load its program. Who has
 * done all of one work, and has left the root of that, waits for the next; one that has failed, or was interrupted, ends.
 */
export class WorkerStock {
  readonly #start: () => Worker;
  readonly #size: number;
  readonly #waiting: Worker[] = [];
  /** While it runs, there is a stock. */
  #idle: NodeJS.Timeout | undefined;

  /** @param options.size workers that wait, from `prepare` on */
  constructor(
    url: URL,
    options: { readonly name: string; readonly size: number; readonly resourceLimits?: ResourceLimits },
  ) {
    const { size, ...workerOptions } = options;
    this.#size = size;
    this.#start = () => new Worker(url, workerOptions);
  }

  /** There will be work, soon and for a while. */
  prepare(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#end(), idleMs).unref();
    this.#fill();
  }

  /** A worker that waits for its work. Whoever takes it ends it, or gives it back. */
  take(): Worker {
    const worker = this.#waiting.pop() ?? this.#start();
    worker.removeAllListeners();
    worker.ref();
    // What the taker does with it comes first.
    if (this.#waiting.length === 0) setImmediate(() => this.#fill(1)).unref();
    return worker;
  }

  /** Have a worker wait again that has nothing of its last work left. */
  async give(worker: Worker): Promise<void> {
    worker.removeAllListeners();
    if (this.#idle === undefined || this.#waiting.length >= this.#size) await worker.terminate();
    else this.#keep(worker);
  }

  #fill(count = this.#size): void {
    while (this.#idle !== undefined && this.#waiting.length < count) this.#keep(this.#start());
  }

  #keep(worker: Worker): void {
    worker.unref();
    this.#waiting.push(worker);
    // One that cannot start is no one's yet: whoever takes the next one hears of it.
    const drop = () => {
      const at = this.#waiting.indexOf(worker);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
    worker.on("error", drop).on("exit", drop);
  }

  #end(): void {
    this.#idle = undefined;
    for (const worker of this.#waiting.splice(0)) void worker.terminate();
  }
}
