import type { FileHandle } from "node:fs/promises";
import { errnoOf } from "@hawser/base";
import { type Digest, digestAlgorithm, parseDigest } from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import type { BlobArrival } from "../content/incoming-blob.ts";
import { storeFaults } from "../faults.ts";
import { WorkerStock } from "../files/worker-stock.ts";
import type { StoreLimits } from "../limits.ts";
import type { LayerReport, LayerWork } from "./layer-worker.ts";

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
export const layerWorkers = new WorkerStock(workerUrl, { name: "layer", size: 1, resourceLimits });

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
  const work: LayerWork = {
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
  const { promise, resolve, reject } = Promise.withResolvers<UnpackedLayer>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  worker.on("error", (error) => {
    const isTooLarge = errnoOf(error) === "ERR_WORKER_OUT_OF_MEMORY";
    reject(isTooLarge ? storeFaults.LAYER_REFUSED("it has too many folders").because(error) : error);
  });
  worker.on("exit", () => reject(storeFaults.LAYER_FAILED("the worker ended early")));
  worker.on("message", (report: LayerReport) => {
    switch (report.kind) {
      case "progress":
        onProgress?.(report.readBytes);
        return;
      case "done": {
        const { sizeBytes, implicitFolders, archiveDigest } = report;
        resolve({
          diffId: parseDigest(report.diffId),
          ...(archiveDigest !== undefined && { archiveDigest: parseDigest(archiveDigest) }),
          sizeBytes,
          implicitFolders,
        });
        return;
      }
      case "failed":
        reject(faultOf(report));
    }
  });
  try {
    const layer = await promise;
    await layerWorkers.give(worker);
    return layer;
  } catch (error) {
    await worker.terminate(); // also waits until it writes no more
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
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
