import { availableParallelism } from "node:os";
import { KeyedMutex, Semaphore } from "@hawser/base";
import type { ChainId } from "@hawser/oci";
import type { ContentStore } from "../content/content-store.ts";
import type { FilesOptions } from "../files/files-run.ts";
import { readFiles } from "../files/run-files-job.ts";
import type { HeldLayer, LayerStore } from "../layers/layer-store.ts";
import type { SealedLayer } from "../layers/layer-table.ts";
import type { ReachStoreStep } from "../steps.ts";
import type { Garbage } from "./garbage.ts";

export interface LayerSealsParts {
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly garbage: Garbage;
  readonly reach: ReachStoreStep;
}

/**
 * Makes archives of layers that builds have made, when something needs them: an image, or a place that gets it. Until then such a layer
 * has no digest, and a chain id of its own. Each is sealed once, as many at the same time as there are processors.
 */
export class LayerSeals {
  readonly #parts: LayerSealsParts;
  readonly #busy = new KeyedMutex();
  readonly #workers = new Semaphore(availableParallelism());

  constructor(parts: LayerSealsParts) {
    this.#parts = parts;
  }

  /**
   * A layer as others know it, with all below it. What is sealed already is as it is. Held until disposal.
   *
   * @throws {Fault} `not-found`, `resource-exhausted`; the reason of `signal`. What was sealed by then stays so.
   */
  async seal(chainId: ChainId, options: FilesOptions = {}): Promise<HeldLayer<SealedLayer>> {
    const { layers, reach } = this.#parts;
    using _hold = layers.hold(chainId);
    const sealing = layers.unsealed(chainId).map(({ folder, chainId: own }) =>
      // By folders: layers in several places may share one.
      this.#busy.run(folder, () => this.#sealOne(own, folder, options), options.signal),
    );
    // All have ended before anyone goes on: they read folders.
    const failed = (await Promise.allSettled(sealing)).find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
    const sealed = layers.placeSealed(chainId);
    reach("seal.placed");
    return sealed;
  }

  async #sealOne(chainId: ChainId, folder: string, options: FilesOptions): Promise<void> {
    const { content, garbage, layers, reach } = this.#parts;
    if (!layers.unsealed(chainId).some((layer) => layer.chainId === chainId)) return;
    using _place = await this.#workers.acquire(options.signal);
    const archive = readFiles({ kind: "folder", path: folder }, { kind: "layer", leaveOut: [] }, options);
    await using staged = await content.stage(archive, options);
    reach("seal.staged");
    await garbage.leased([staged], async () => {
      const { digest: diffId } = staged;
      const there = layers.findArchive(diffId);
      if (there === undefined) await staged.commit();
      reach("seal.kept");
      layers.seal(chainId, { diffId, blob: there ?? diffId });
      reach("seal.recorded");
    });
  }
}
