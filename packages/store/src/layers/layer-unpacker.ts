import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { Semaphore } from "@hawser/base";
import type { ChainId, Digest } from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import { diskFault } from "../disk-fault.ts";
import { storeFaults } from "../faults.ts";
import type { StoreLimits } from "../limits.ts";
import type { StorePaths } from "../paths.ts";
import type { Trash } from "../trash.ts";
import {
  completeLayer,
  haveTwoThreads,
  layersAtOnce,
  type UnpackedLayer,
  unpackLayer,
} from "./unpack-layer.ts";

export interface UnpackRequest {
  readonly parent: ChainId | undefined;
  /** The parent's own unpacking: this layer is published after it. */
  readonly after?: Promise<unknown>;
  /** What the archive must hash to when it is plain; `undefined`: whatever it is. */
  readonly diffId: Digest | undefined;
  readonly blob: StagedBlob;
  readonly signal?: AbortSignal;
  readonly onProgress?: (readBytes: number) => void;
}

export interface UnpackedFolder extends UnpackedLayer {
  /** In the ingest folder. */
  readonly folder: string;
}

interface Parts {
  readonly paths: StorePaths;
  readonly trash: Trash;
  readonly limits: StoreLimits;
}

/** What is smaller is done before a second thread has begun. */
const inTwoFromBytes = 512 * 1024;

/** Makes folders of layers' archives, a few at a time. */
export class LayerUnpacker {
  readonly #parts: Parts;
  readonly #workers = new Semaphore(layersAtOnce);
  #underWay = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * The archive is kept when it returns.
   *
   * @param foldersOf those of a layer and what is below it, topmost first
   * @throws {Fault} as `LayerStore.unpack`. Nothing stays behind.
   */
  async unpack(
    request: UnpackRequest,
    foldersOf: (chainId: ChainId) => readonly string[],
  ): Promise<UnpackedFolder> {
    const { paths, trash } = this.#parts;
    const { diffId, parent, after } = request;
    const name = randomUUID();
    const folder = paths.ingestedLayer(name);
    const diff = paths.ingestedLayerDiff(name);
    this.#underWay++;
    try {
      await mkdir(diff, { recursive: true, mode: 0o755 });
      const unpacked = await this.#unpackInto(diff, request);
      if (unpacked.archiveDigest !== undefined) request.blob.arrival?.verify(unpacked.archiveDigest);
      if (diffId !== undefined && unpacked.diffId !== diffId) {
        throw storeFaults.LAYER_DIGEST_MISMATCH(diffId, unpacked.diffId);
      }
      const complete = async () => {
        await after;
        const below = parent === undefined ? [] : foldersOf(parent);
        await completeLayer(unpacked, { folder: diff, below, signal: request.signal });
      };
      const work = [request.blob.commit(), complete()];
      await Promise.allSettled(work); // the folder is left alone when one has failed
      await Promise.all(work);
      return { ...unpacked, folder };
    } catch (error) {
      await trash.discard(folder);
      throw diskFault(error, paths.root);
    } finally {
      this.#underWay--;
    }
  }

  async #unpackInto(folder: string, { blob, signal, onProgress }: UnpackRequest): Promise<UnpackedLayer> {
    const stop = eitherSignal(signal, blob.arrival?.broken);
    using _slot = await this.#workers.acquire(stop);
    await using file = await blob.open();
    const { digest, sizeBytes, arrival, isFresh } = blob;
    return await unpackLayer(file, {
      folder,
      limits: this.#parts.limits,
      ...(isFresh === true && { digest }),
      ...(arrival && { arriving: { digest, sizeBytes, arrival } }),
      // What was hashed when it was written is most often plain: nothing of it would be expanded.
      inTwo: isFresh !== true && sizeBytes >= inTwoFromBytes && haveTwoThreads(this.#underWay),
      ...(stop && { signal: stop }),
      ...(onProgress && { onProgress }),
    });
  }
}

function eitherSignal(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a !== undefined && b !== undefined ? AbortSignal.any([a, b]) : (a ?? b);
}
