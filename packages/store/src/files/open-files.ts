import type { Worker } from "node:worker_threads";
import type { FilesCommand, FilesJob, FilesReport, FilesRoot } from "./files-job.ts";
import { WorkerStock } from "./worker-stock.ts";

/** In a bundle the worker lies beside it as `files-worker.js`. */
const workerUrl = new URL(
  import.meta.url.endsWith(".ts") ? "./files-worker.ts" : "./files-worker.js",
  import.meta.url,
);

/** A copy reads, writes, and reads what became of it. */
export const filesWorkers = new WorkerStock(workerUrl, { name: "files", size: 3 });

/**
 * A root whose files are worked on several times: one worker is confined to it, and does one job at a time. Whoever opened
 * it disposes of it.
 */
export class OpenFiles implements AsyncDisposable {
  readonly root: FilesRoot;
  #worker: Worker | undefined;
  #isBusy = false;

  constructor(root: FilesRoot) {
    this.root = root;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Begin a job: its worker, to listen to. Nothing else begins before `finish`. */
  begin(job: FilesJob): Worker {
    if (this.#isBusy) throw new Error("a worker does one job at a time");
    this.#isBusy = true;
    const worker = this.#worker;
    this.#worker = worker ?? filesWorkers.take();
    const command: FilesCommand = { kind: "begin", job, ...(worker === undefined && { root: this.root }) };
    this.#worker.postMessage(command);
    return this.#worker;
  }

  /** The worker has done its job. */
  finish(): void {
    this.#worker?.removeAllListeners();
    this.#worker?.on("error", () => {
      this.#worker = undefined; // the next job has another
    });
    this.#isBusy = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    // Either way it touches no more then.
    if (worker !== undefined && !this.#isBusy && (await release(worker))) await filesWorkers.give(worker);
    else await worker?.terminate();
    this.#isBusy = false;
  }
}

/** Have a worker leave its root; false when it cannot. */
async function release(worker: Worker): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  worker.removeAllListeners();
  worker.on("message", (report: FilesReport) => resolve(report.kind === "released"));
  worker.on("error", () => resolve(false)).on("exit", () => resolve(false));
  worker.postMessage({ kind: "release" } satisfies FilesCommand);
  return await promise;
}
