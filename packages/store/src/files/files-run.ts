import type { Worker } from "node:worker_threads";
import type { Fault } from "@hawser/base";
import { storeFaults } from "../faults.ts";
import type { FileStat } from "./file-stat.ts";
import {
  chunksAhead,
  type FilesCommand,
  type FilesJob,
  type FilesReport,
  type FilesRoot,
} from "./files-job.ts";
import { OpenFiles } from "./open-files.ts";

export interface FilesOptions {
  readonly signal?: AbortSignal;
}

/** Where a job is done: a root, or one that is open already. */
export type FilesPlace = FilesRoot | OpenFiles;

/** The same bytes, copied, in pieces that are worth a message each: an archive of small files comes in crumbs. */
async function* inPieces(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let crumbs: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of archive) {
    crumbs.push(bytes);
    size += bytes.length;
    if (size < pieceBytes) continue;
    yield joined(crumbs, size);
    crumbs = [];
    size = 0;
  }
  if (size > 0) yield joined(crumbs, size);
}

function joined(crumbs: readonly Uint8Array[], size: number): Uint8Array {
  const piece = new Uint8Array(size);
  let at = 0;
  for (const crumb of crumbs) {
    piece.set(crumb, at);
    at += crumb.length;
  }
  return piece;
}

const pieceBytes = 64 << 10;

/** One job of a worker, and what the worker says. */
export class FilesRun implements AsyncDisposable {
  readonly #files: OpenFiles;
  /** Whether nobody else has a use for the worker. */
  readonly #isOwn: boolean;
  readonly #worker: Worker;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = () => this.#fail(this.#signal?.reason);
  readonly #result = Promise.withResolvers<FileStat | number>();
  readonly #chunks: Uint8Array[] = [];
  #wanted = 0;
  #ended = false;
  /** Whether the worker can have another job. */
  #isDone = false;
  #failure: { readonly error: unknown } | undefined;
  #news = Promise.withResolvers<void>();

  constructor(place: FilesPlace, job: FilesJob, { signal }: FilesOptions) {
    signal?.throwIfAborted();
    this.#signal = signal;
    this.#result.promise.catch(() => {}); // not every job has one
    const isOpen = place instanceof OpenFiles;
    this.#isOwn = !isOpen || place.isBusy;
    this.#files = isOpen && !this.#isOwn ? place : new OpenFiles(isOpen ? place.root : place);
    this.#worker = this.#files.begin(job);
    this.#worker.on("message", (report: FilesReport) => this.#take(report));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => {
      if (!this.#ended) this.#fail(storeFaults.FILES_FAILED("the worker ended early"));
    });
    signal?.addEventListener("abort", this.#abort);
  }

  result(): Promise<FileStat | number> {
    return this.#result.promise;
  }

  /** The result of a job that has nothing else to say. */
  async onlyResult(): Promise<FileStat | number> {
    const result = await this.#result.promise;
    await this.ended();
    return result;
  }

  /** Of a job that says nothing. */
  async ended(): Promise<void> {
    while (!this.#ended) await this.#wait();
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#send({ kind: "more" });
        yield chunk;
      } else if (this.#ended) return;
      else await this.#wait();
    }
  }

  /** Give it an archive, at its pace; returns when it has done its work. */
  async feed(archive: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const bytes of inPieces(archive)) {
      while (this.#wanted === 0 && !this.#ended) await this.#wait();
      // After its end an archive may have anything; it is read, so that the sender can finish.
      if (this.#ended) continue;
      this.#wanted -= 1;
      this.#send({ kind: "piece", bytes });
    }
    this.#send({ kind: "piece" });
    await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#ended = true;
    if (this.#isDone) this.#files.finish();
    if (this.#isOwn || !this.#isDone) await this.#files[Symbol.asyncDispose]();
  }

  #take(report: FilesReport): void {
    switch (report.kind) {
      case "result":
        this.#result.resolve(report.value);
        return;
      case "chunk":
        this.#chunks.push(report.bytes);
        break;
      case "want":
        this.#wanted = Math.min(this.#wanted + 1, chunksAhead);
        break;
      case "end":
        this.#isDone = true;
        this.#ended = true;
        break;
      case "failed":
        this.#fail(faultOf(report));
        break;
      case "released": // told to nobody here
    }
    this.#news.resolve();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#result.reject(error);
    this.#news.resolve();
  }

  #send(command: FilesCommand): void {
    if (!this.#ended) this.#worker.postMessage(command);
  }

  async #wait(): Promise<void> {
    this.#throwFailure();
    await this.#news.promise;
    this.#news = Promise.withResolvers();
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

function faultOf({ fault, problem }: Extract<FilesReport, { readonly kind: "failed" }>): Fault {
  switch (fault) {
    case "not-found":
      return storeFaults.FILES_RELAYED_NOT_FOUND(problem);
    case "invalid-argument":
      return storeFaults.FILES_RELAYED_INVALID(problem);
    case "data-loss":
      return storeFaults.FILES_RELAYED_DAMAGED(problem);
    case "permission-denied":
      return storeFaults.FILES_READ_ONLY(problem);
    case "resource-exhausted":
      return storeFaults.FILES_NO_SPACE(problem);
    default:
      return storeFaults.FILES_FAILED(problem);
  }
}
