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
import { ChunkRing } from "./chunk-ring.ts";
import type { ArchiveFile, LayerReport, LayerWork } from "./layer-work.ts";

export interface UnpackedLayer {
  readonly diffId: Digest;
  /** Of the archive as it came, where it was still coming; else the caller knows it. */
  readonly archiveDigest?: Digest;
  /** Of the files' data. */
  readonly sizeBytes: number;
  /** Names that were made as folders for what lies in them, in latin1; later entries may have made them something else. */
  readonly implicitFolders: readonly string[];
}

/** In a bundle the workers lie beside it as `layer-worker.js` and `expand-worker.js`. */
const urlOf = (name: string) =>
  new URL(`./${name}-worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);

/** What grows with an archive is its list of folders; this is room for two million. */
const resourceLimits = { maxOldGenerationSizeMb: 512 };
/** On a small machine more than it has processors: some wait for what is still coming. */
export const layersAtOnce = Math.max(availableParallelism(), 3);
const layerWorkers = new WorkerStock(urlOf("layer"), {
  name: "layer",
  size: 1,
  kept: layersAtOnce,
  resourceLimits,
});
const expandWorkers = new WorkerStock(urlOf("expand"), {
  name: "expand",
  size: 1,
  kept: Math.floor(availableParallelism() / 2),
});

/** Whether there are two processors for each of so many layers: one expands the archive, the other makes its files. */
export function haveTwoThreads(layers: number): boolean {
  return layers * 2 <= availableParallelism();
}

/** So many layers are unpacked in a moment. */
export function expectLayers(count: number): void {
  if (count === 0) return;
  layerWorkers.warm();
  if (haveTwoThreads(count)) expandWorkers.warm();
}

/** Layers are unpacked soon, and for a while. */
export function prepareLayerWorkers(): void {
  layerWorkers.prepare();
}

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
    /** Have another thread expand the archive. */
    readonly inTwo?: boolean;
    readonly signal?: AbortSignal;
    /** Bytes of the archive read so far. */
    readonly onProgress?: (readBytes: number) => void;
  },
): Promise<UnpackedLayer> {
  const { folder, limits, digest, arriving, inTwo, signal, onProgress } = options;
  signal?.throwIfAborted();
  const archive: ArchiveFile = {
    fd: file.fd,
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
  const unpack = inTwo ? unpackInTwo : unpackInOne;
  const unpacked = await unpack(archive, { folder, limits, arrival: arriving?.arrival, signal, onProgress });
  const { kind: _kind, diffId, archiveDigest, ...rest } = unpacked;
  return {
    ...rest,
    diffId: parseDigest(diffId),
    ...(archiveDigest !== undefined && { archiveDigest: parseDigest(archiveDigest) }),
  };
}

interface Unpacking {
  readonly folder: string;
  readonly limits: StoreLimits;
  readonly arrival: BlobArrival | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((readBytes: number) => void) | undefined;
}

async function unpackInOne(from: ArchiveFile, options: Unpacking): Promise<ReportOf<"unpacked">> {
  const { folder, limits, arrival } = options;
  const worker = begin(layerWorkers, { kind: "unpack", from, folder, limits });
  using _watch = arrival?.onArrive((bytes) => worker.postMessage(bytes));
  return await reportOf(worker, "unpacked", { ...options, stock: layerWorkers });
}

/** One expands what the other one makes files of. */
async function unpackInTwo(archive: ArchiveFile, options: Unpacking): Promise<ReportOf<"unpacked">> {
  const { folder, limits, arrival, onProgress } = options;
  const { memory: ring } = new ChunkRing();
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const expander = begin(expandWorkers, { kind: "expand", archive, ring });
  using _watch = arrival?.onArrive((bytes) => expander.postMessage(bytes));
  const maker = begin(layerWorkers, { kind: "unpack", from: ring, folder, limits });
  const reports = [
    reportOf(expander, "expanded", { stock: expandWorkers, signal, onProgress }),
    reportOf(maker, "unpacked", { stock: layerWorkers, signal }),
  ] as const;
  // Who waits for one that has failed would wait for ever.
  for (const each of reports) each.catch((error: unknown) => failed.abort(error));
  const [expanded, made] = await Promise.allSettled(reports);
  if (expanded.status === "rejected" || made.status === "rejected") throw signal.reason;
  return { ...made.value, archiveDigest: expanded.value.archiveDigest };
}

type ReportOf<K extends LayerReport["kind"]> = Extract<LayerReport, { readonly kind: K }>;

function begin(stock: WorkerStock, work: LayerWork): Worker {
  const worker = stock.take();
  worker.postMessage(work);
  return worker;
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
  const worker = begin(layerWorkers, { kind: "folders", paths: implicitFolders, folder, below });
  await reportOf(worker, "completed", { stock: layerWorkers, signal });
}

/** Wait for a worker's last word, of `kind`, give it back, and give that back; end the worker if it is another word, or none. */
async function reportOf<K extends LayerReport["kind"]>(
  worker: Worker,
  kind: K,
  {
    stock,
    signal,
    onProgress,
  }: {
    readonly stock: WorkerStock;
    readonly signal: AbortSignal | undefined;
    readonly onProgress?: ((readBytes: number) => void) | undefined;
  },
): Promise<ReportOf<K>> {
  const { promise, resolve, reject } = Promise.withResolvers<ReportOf<K>>();
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
    await stock.give(worker);
    return report;
  } catch (error) {
    await worker.terminate(); // also waits until it writes no more
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function isOf<K extends LayerReport["kind"]>(report: LayerReport, kind: K): report is ReportOf<K> {
  return report.kind === kind;
}

function faultOf({ fault, problem }: ReportOf<"failed">) {
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
