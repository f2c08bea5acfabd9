import type { FileHandle } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { errnoOf } from "@hawser/base";
import { type Digest, digestAlgorithm, parseDigest } from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import type { BlobArrival } from "../content/incoming-blob.ts";
import { storeFaults } from "../faults.ts";
import { WorkerStock } from "../files/worker-stock.ts";
import type { StoreLimits } from "../limits.ts";
import type { FoldersWork, LayerReport, UnpackWork } from "./layer-worker.ts";

export interface UnpackedLayer {
  readonly diffId: Digest;
  /** Of the archive as it came, where it was still coming; else the caller knows it. */
  readonly archiveDigest?: Digest;
  /** Of the files' data. */
  readonly sizeBytes: number;
  /** Names that were made as folders for what lies in them, in latin1; later entries may have made them something else. */
  readonly implicitFolders: readonly string[];
}

/** In a bundle the worker lies beside it as `layer-worker.js`. */
const workerUrl = new URL(
  import.meta.url.endsWith(".ts") ? "./layer-worker.ts" : "./layer-worker.js",
  import.meta.url,
);

/** What grows with an archive is its list of folders; this is room for two million. */
const resourceLimits = { maxOldGenerationSizeMb: 512 };
/** On a small machine more than it has processors: some wait for what is still coming. */
export const layersAtOnce = Math.max(availableParallelism(), 3);
export const layerWorkers = new WorkerStock(workerUrl, {
  name: "layer",
  size: 1,
  kept: layersAtOnce,
  resourceLimits,
});

/**
 * Unpack the layer archive in `file`, which may still be coming, into the empty `folder`, in a thread that cannot leave it.
 * Nothing is known to be right before the caller has compared the digests. After a failure the folder holds a part of the
 * layer.
 *
 * @throws {Fault} `data-loss` or `invalid-argument` for the archive's sake, `resource-exhausted` for the disk's;
 * what aborted `signal`.
 */
export async function unpackLayer(
  file: FileHandle,
  options: {
    readonly folder: string;
    readonly limits: StoreLimits;
    /** What the archive was found to hash to when it was written. */
    readonly digest?: Digest;
    /** The archive is on its way. Its failure is not looked at: give a signal that has it. */
    readonly arriving?: Pick<StagedBlob, "digest" | "sizeBytes"> & { readonly arrival: BlobArrival };
    readonly signal?: AbortSignal;
    /** Bytes of the archive read so far. */
    readonly onProgress?: (readBytes: number) => void;
  },
): Promise<UnpackedLayer> {
  const { folder, limits, digest, arriving, signal, onProgress } = options;
  signal?.throwIfAborted();
  const work: UnpackWork = {
    kind: "unpack",
    fd: file.fd,
    folder,
    limits,
    ...(digest !== undefined && digestAlgorithm(digest) === "sha256" && { digest }),
    ...(arriving && {
      arriving: {
        sizeBytes: arriving.sizeBytes,
        arrivedBytes: arriving.arrival.arrivedBytes,
        algorithm: digestAlgorithm(arriving.digest),
      },
    }),
  };
  const worker = layerWorkers.take();
  worker.postMessage(work);
  using _watch = arriving?.arrival.onArrive((bytes) => worker.postMessage(bytes));
  const { sizeBytes, implicitFolders, ...digests } = await reportOf(worker, "done", { signal, onProgress });
  return {
    diffId: parseDigest(digests.diffId),
    ...(digests.archiveDigest !== undefined && { archiveDigest: parseDigest(digests.archiveDigest) }),
    sizeBytes,
    implicitFolders,
  };
}

/**
 * Give the folders that a layer's archive does not describe what those of the layers `below`, topmost first, have.
 *
 * @throws {Fault} `resource-exhausted` for the disk's sake; what aborted `signal`
 */
export async function completeLayer(
  { implicitFolders }: Pick<UnpackedLayer, "implicitFolders">,
  options: {
    readonly folder: string;
    readonly below: readonly string[];
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  if (implicitFolders.length === 0) return;
  const { folder, below, signal } = options;
  signal?.throwIfAborted();
  const worker = layerWorkers.take();
  worker.postMessage({ kind: "folders", paths: implicitFolders, folder, below } satisfies FoldersWork);
  await reportOf(worker, "completed", { signal });
}

/** Wait for a worker's last word, of `kind`, and give it back; end it if that is another, or none. */
async function reportOf<K extends "done" | "completed">(
  worker: Worker,
  kind: K,
  {
    signal,
    onProgress,
  }: {
    readonly signal: AbortSignal | undefined;
    readonly onProgress?: ((readBytes: number) => void) | undefined;
  },
): Promise<Extract<LayerReport, { readonly kind: K }>> {
  const { promise, resolve, reject } = Promise.withResolvers<Extract<LayerReport, { readonly kind: K }>>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  worker.on("error", (error) => {
    const isTooLarge = errnoOf(error) === "ERR_WORKER_OUT_OF_MEMORY";
    reject(isTooLarge ? storeFaults.LAYER_REFUSED("it has too many folders").because(error) : error);
  });
  worker.on("exit", () => reject(storeFaults.LAYER_FAILED("the worker ended early")));
  worker.on("message", (report: LayerReport) => {
    if (report.kind === "progress") onProgress?.(report.readBytes);
    else if (report.kind === "failed") reject(faultOf(report));
    else if (isOf(report, kind)) resolve(report);
  });
  try {
    const report = await promise;
    await layerWorkers.give(worker);
    return report;
  } catch (error) {
    await worker.terminate(); // also waits until it writes no more
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function isOf<K extends LayerReport["kind"]>(
  report: LayerReport,
  kind: K,
): report is Extract<LayerReport, { readonly kind: K }> {
  return report.kind === kind;
}

function faultOf({ fault, problem }: Extract<LayerReport, { readonly kind: "failed" }>) {
  switch (fault) {
    case "invalid-argument":
      return storeFaults.LAYER_REFUSED(problem);
    case "data-loss":
      return storeFaults.LAYER_DAMAGED(problem);
    case "resource-exhausted":
      return storeFaults.LAYER_NO_SPACE(problem);
    default:
      return storeFaults.LAYER_FAILED(problem);
  }
}
