import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { stat } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import { errnoOf, Fault, type FaultKind, TarParser } from "@hawser/base";
import { confineThread, releaseThread } from "@hawser/linux";
import type { DigestAlgorithm } from "@hawser/oci";
import type { StoreLimits } from "../limits.ts";
import { completeFolders } from "./complete-folders.ts";
import { decompress } from "./decompress.ts";
import { LayerWriter } from "./layer-writer.ts";

/** What a worker is told, and after `done` or `completed` once more. */
export type LayerWork = UnpackWork | FoldersWork;

export interface UnpackWork {
  readonly kind: "unpack";
  /** An open file with the layer's archive, plain or compressed. Stays the starter's. */
  readonly fd: number;
  /** What the archive hashes to as it is, SHA-256, where that is known. */
  readonly digest?: string;
  /**
   * The archive still comes: how long it will be, how much of it is there, and how to hash it as it is. Each message to the
   * worker then says how much is there.
   */
  readonly arriving?: {
    readonly sizeBytes: number;
    readonly arrivedBytes: number;
    readonly algorithm: DigestAlgorithm;
  };
  /** An empty folder to make the layer in; becomes the worker's root. */
  readonly folder: string;
  readonly limits: StoreLimits;
}

/** Give folders that the layer's archive did not describe what those below have: `completeFolders`. */
export interface FoldersWork {
  readonly kind: "folders";
  readonly paths: readonly string[];
  readonly folder: string;
  readonly below: readonly string[];
}

/**
 * What the worker says: any number of `progress`, then `done`, when it has left the folder; or `completed`, for folders; or
 * `failed`.
 */
export type LayerReport =
  | { readonly kind: "progress"; readonly readBytes: number }
  | {
      readonly kind: "done";
      /** Of the plain archive. */
      readonly diffId: string;
      /** Of the archive as it came, where it was still coming. */
      readonly archiveDigest?: string;
      readonly sizeBytes: number;
      readonly implicitFolders: readonly string[];
    }
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly fault: FaultKind; readonly problem: string };

const readBytesAtOnce = 1 << 20;
const progressStepBytes = 4 << 20;

async function unpack(work: UnpackWork): Promise<LayerReport> {
  confineThread(work.folder);

  // A plain archive is hashed once.
  let isPlain = false;
  const hash = createHash("sha256");
  const parser = new TarParser({ maxEntries: work.limits.maxEntries });
  const writer = new LayerWriter();
  let readBytes = 0;
  let reportedBytes = 0;
  const memory = Buffer.allocUnsafeSlow(readBytesAtOnce);
  const archiveHash = work.arriving && createHash(work.arriving.algorithm);
  const source = async function* () {
    for (;;) {
      if (work.arriving !== undefined && !(await commands.arrivalBeyond(readBytes, work.arriving))) return;
      // Not a stream: destroying one would close the starter's file.
      const length = readSync(work.fd, memory, 0, memory.length, readBytes);
      if (length === 0) return;
      const chunk = memory.subarray(0, length);
      archiveHash?.update(chunk);
      readBytes += length;
      if (readBytes - reportedBytes >= progressStepBytes) {
        reportedBytes = readBytes;
        report({ kind: "progress", readBytes });
      }
      yield chunk;
    }
  };
  try {
    const isHashed = work.digest !== undefined || work.arriving?.algorithm === "sha256";
    const onPlain = () => {
      isPlain = isHashed;
    };
    for await (const chunk of decompress(source(), work.limits, { onPlain, inThread: true })) {
      if (!isPlain) hash.update(chunk);
      for (const event of parser.feed(chunk)) writer.take(event);
    }
    parser.finish();
    const archiveDigest = archiveHash && `${work.arriving?.algorithm}:${archiveHash.digest("hex")}`;
    const plainDigest = isPlain ? (work.digest ?? archiveDigest) : undefined;
    return {
      kind: "done",
      implicitFolders: writer.finish(),
      diffId: plainDigest ?? `sha256:${hash.digest("hex")}`,
      ...(archiveDigest !== undefined && { archiveDigest }),
      sizeBytes: writer.sizeBytes,
    };
  } finally {
    writer.close();
  }
}

/** What the starter sends: the work, then how much of its archive is there. */
class Commands {
  #work: LayerWork | undefined;
  #arrivedBytes = 0;
  #wake = () => {};

  constructor() {
    parentPort?.on("message", (command: LayerWork | number) => {
      if (typeof command === "number") this.#arrivedBytes = Math.max(this.#arrivedBytes, command);
      else {
        this.#work = command;
        this.#arrivedBytes = 0;
      }
      this.#wake();
    });
  }

  async work(): Promise<LayerWork> {
    while (this.#work === undefined) await this.#wait();
    const work = this.#work;
    this.#work = undefined;
    return work;
  }

  /** Wait for what lies behind `position`; false at the archive's end. */
  async arrivalBeyond(
    position: number,
    { sizeBytes, arrivedBytes }: NonNullable<UnpackWork["arriving"]>,
  ): Promise<boolean> {
    while (Math.max(arrivedBytes, this.#arrivedBytes) <= position && position < sizeBytes) await this.#wait();
    return position < sizeBytes;
  }

  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

function failure(error: unknown): LayerReport {
  const problem = error instanceof Error ? error.message : String(error);
  if (Fault.is(error)) return { kind: "failed", fault: error.kind, problem };
  switch (errnoOf(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return { kind: "failed", fault: "resource-exhausted", problem };
    // The archive names what cannot be, or contradicts itself.
    case "EEXIST":
    case "EFBIG":
    case "EINVAL":
    case "EISDIR":
    case "ELOOP":
    case "EMLINK":
    case "ENAMETOOLONG":
    case "ENOENT":
    case "ENOTDIR":
    case "ERANGE":
    case "E2BIG":
      return { kind: "failed", fault: "invalid-argument", problem };
    default:
      return { kind: "failed", fault: "internal", problem };
  }
}

const report = (message: LayerReport) => parentPort?.postMessage(message);
// Threads share their starter's root. Node's thread pool, which goes on to serve the whole process, must exist before.
await stat("/");
const commands = new Commands();
try {
  for (;;) {
    const work = await commands.work();
    if (work.kind === "folders") {
      completeFolders(work.paths, work);
      report({ kind: "completed" });
    } else {
      const done = await unpack(work);
      releaseThread();
      report(done);
    }
  }
} catch (error) {
  report(failure(error)); // and has no other work
  parentPort?.close();
}
