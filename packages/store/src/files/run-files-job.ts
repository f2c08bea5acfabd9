import { Worker } from "node:worker_threads";
import type { Fault } from "@hawser/base";
import { storeFaults } from "../faults.ts";
import { defaultStoreLimits } from "../limits.ts";
import type { FileStat } from "./file-stat.ts";
import {
  chunksAhead,
  type FilesCommand,
  type FilesJob,
  type FilesReport,
  type FilesRoot,
  type FilesWork,
  type WriteJob,
} from "./files-job.ts";

/** In a bundle the worker lies beside it as `files-worker.js`. */
const workerUrl = new URL(
  import.meta.url.endsWith(".ts") ? "./files-worker.ts" : "./files-worker.js",
  import.meta.url,
);

export interface FilesOptions {
  readonly signal?: AbortSignal;
}

/** A path of the API: its bytes, one a character. */
export const pathBytes = (text: string) => Buffer.from(text).toString("latin1");

/** @throws {Fault} `not-found`, `invalid-argument` */
export async function statPath(root: FilesRoot, path: string, options: FilesOptions = {}): Promise<FileStat> {
  await using run = new FilesRun({ root, job: { kind: "stat", path: pathBytes(path) } }, options);
  return (await run.result()) as FileStat;
}

/**
 * How many parts of a path, from its beginning, are folders; links are followed inside of the root.
 *
 * @param parts names, none of them empty
 * @throws {Fault} `invalid-argument` for links without end
 */
export async function countFolders(
  root: FilesRoot,
  parts: readonly string[],
  options: FilesOptions = {},
): Promise<number> {
  if (parts.length === 0) return 0;
  const path = pathBytes(parts.join("/"));
  await using run = new FilesRun({ root, job: { kind: "count-folders", path } }, options);
  return (await run.result()) as number;
}

/** Bytes of all files, hard links counted once. */
export async function measureFiles(root: FilesRoot, options: FilesOptions = {}): Promise<number> {
  await using run = new FilesRun({ root, job: { kind: "measure" } }, options);
  return (await run.result()) as number;
}

/** Remove a file or folder, with all that is in it. Nothing there is fine. @throws {Fault} `invalid-argument` */
export async function removePath(root: FilesRoot, path: string, options: FilesOptions = {}): Promise<void> {
  await using run = new FilesRun({ root, job: { kind: "remove", path: pathBytes(path) } }, options);
  await run.result();
}

/** A file or folder as an archive. Disposal ends it early; whoever opened it disposes of it. */
export interface OpenArchive extends AsyncDisposable {
  readonly stat: FileStat;
  readonly archive: AsyncIterable<Uint8Array>;
}

/** @throws {Fault} `not-found`, `invalid-argument`; the archive itself may throw later, too */
export async function openArchive(
  root: FilesRoot,
  path: string,
  options: FilesOptions = {},
): Promise<OpenArchive> {
  const run = new FilesRun({ root, job: { kind: "read", path: pathBytes(path) } }, options);
  try {
    const stat = (await run.result()) as FileStat;
    return { stat, archive: run.chunks(), [Symbol.asyncDispose]: () => run[Symbol.asyncDispose]() };
  } catch (error) {
    await run[Symbol.asyncDispose]();
    throw error;
  }
}

/** The bytes that a job makes: an archive, or lines of text. Leaving the loop early ends the work. */
export async function* readFiles(
  root: FilesRoot,
  job: Extract<FilesJob, { readonly kind: "export" | "layer" | "scan" | "list" | "pick" | "look" }>,
  options: FilesOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  await using run = new FilesRun({ root, job }, options);
  yield* run.chunks();
}

/**
 * Unpack an archive, plain or compressed, into a folder.
 *
 * @throws {Fault} `not-found`, `invalid-argument`, `data-loss`, `permission-denied`, `resource-exhausted`; what came before
 *   stays
 */
export async function writeArchive(
  root: FilesRoot,
  archive: AsyncIterable<Uint8Array>,
  options: FilesOptions & Omit<WriteJob, "kind" | "limits">,
): Promise<void> {
  const { signal, ...job } = options;
  const limits = defaultStoreLimits;
  await using run = new FilesRun(
    { root, job: { kind: "write", ...job, path: pathBytes(job.path), limits } },
    signal === undefined ? {} : { signal },
  );
  await run.feed(archive);
}

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

/** One worker and what it says. */
class FilesRun implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = () => this.#fail(this.#signal?.reason);
  readonly #result = Promise.withResolvers<FileStat | number>();
  readonly #chunks: Uint8Array[] = [];
  #wanted = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #news = Promise.withResolvers<void>();

  constructor(work: FilesWork, { signal }: FilesOptions) {
    signal?.throwIfAborted();
    this.#signal = signal;
    this.#result.promise.catch(() => {}); // not every job has one
    this.#worker = new Worker(workerUrl, { workerData: work, name: "files" });
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
    while (!this.#ended) await this.#wait();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#ended = true;
    // Also waits until it touches no more.
    await this.#worker.terminate();
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
        this.#ended = true;
        break;
      case "failed":
        this.#fail(faultOf(report));
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
