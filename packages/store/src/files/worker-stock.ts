import { type ResourceLimits, Worker } from "node:worker_threads";

/** Without use for so long, workers that wait are ended: each holds some megabytes. */
const idleMs = 60_000;
/** The same for all but one where nobody has said that more work comes: long enough for what is in line for this one. */
const restMs = 5000;

/**
 * Workers that wait for their work, started before they are wanted: a thread takes 30 ms of a processor to load its program, and more
 * until that is compiled well. Who has done all of one work, and has left the root of that, waits for the next; one that has failed,
 * or was interrupted, ends.
 */
export class WorkerStock {
  readonly #start: () => Worker;
  readonly #size: number;
  readonly #kept: number;
  readonly #waiting: Worker[] = [];
  readonly #taken = new Set<Worker>();
  /** While it runs, there is a stock; workers are started for it if it was prepared. */
  #idle: { readonly timer: NodeJS.Timeout; readonly isPrepared: boolean } | undefined;

  /**
   * @param options.size workers that wait, from `prepare` on
   * @param options.kept how many may wait that have done their work: as many as work at once. Default: `size`
   */
  constructor(
    url: URL,
    options: {
      readonly name: string;
      readonly size: number;
      readonly kept?: number;
      readonly resourceLimits?: ResourceLimits;
    },
  ) {
    const { size, kept = size, ...workerOptions } = options;
    this.#size = size;
    this.#kept = kept;
    this.#start = () => new Worker(url, workerOptions);
  }

  /** There will be work, soon and for a while. */
  prepare(): void {
    this.#waitFor(idleMs, { isPrepared: true });
    this.#fill();
  }

  /** There will be work in a moment: one worker is about to wait, if none does. */
  warm(): void {
    if (this.#waiting.length > 0 || this.#working() >= this.#kept) return;
    if (this.#idle === undefined) this.#waitFor(restMs, { isPrepared: false });
    this.#keep(this.#start());
  }

  /** A worker that waits for its work. Whoever takes it ends it, or gives it back. */
  take(): Worker {
    const worker = this.#waiting.pop() ?? this.#start();
    worker.removeAllListeners();
    worker.ref();
    this.#taken.add(worker);
    // What the taker does with it comes first.
    if (this.#waiting.length === 0) setImmediate(() => this.#fill(1)).unref();
    return worker;
  }

  /** Have a worker wait again that has nothing of its last work left. */
  async give(worker: Worker): Promise<void> {
    worker.removeAllListeners();
    this.#taken.delete(worker);
    if (this.#waiting.length >= this.#kept) await worker.terminate();
    else {
      if (this.#idle?.isPrepared !== true) this.#waitFor(restMs, { isPrepared: false });
      this.#keep(worker);
    }
  }

  /** Start workers until `count` wait, but no more than will be kept when all have done their work. */
  #fill(count = this.#size): void {
    const wanted = Math.min(count, this.#kept - this.#working());
    while (this.#idle?.isPrepared === true && this.#waiting.length < wanted) this.#keep(this.#start());
  }

  #working(): number {
    for (const worker of this.#taken) if (worker.threadId === -1) this.#taken.delete(worker);
    return this.#taken.size;
  }

  #waitFor(ms: number, { isPrepared }: { readonly isPrepared: boolean }): void {
    clearTimeout(this.#idle?.timer);
    this.#idle = {
      timer: setTimeout(() => this.#end({ left: ms < idleMs ? 1 : 0 }), ms).unref(),
      isPrepared,
    };
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

  #end({ left }: { readonly left: number }): void {
    this.#idle = undefined;
    for (const worker of this.#waiting.splice(left)) void worker.terminate();
    if (this.#waiting.length > 0) this.#waitFor(idleMs, { isPrepared: false });
  }
}
