import type { ChainId, Digest } from "@hawser/oci";
import type { ContentStore, StagedBlob } from "../content/content-store.ts";
import type { LayerStore } from "../layers/layer-store.ts";
import type { ReachStoreStep } from "../steps.ts";
import type { ImageIndex } from "./image-index.ts";
import { type Leftover, Leftovers } from "./leftovers.ts";

export interface GarbageParts {
  readonly index: ImageIndex;
  readonly content: ContentStore;
  readonly layers: LayerStore;
  /** Layers that are perhaps mounted. */
  readonly mounted: () => readonly ChainId[];
  /** Layers of builds' results. */
  readonly results: () => readonly ChainId[];
  readonly inBackground: (work: Promise<unknown>) => void;
  readonly reach: ReachStoreStep;
}

/** What no image refers to goes, unless work in progress is about to refer to it. */
export class Garbage implements Disposable {
  readonly #parts: GarbageParts;
  /** Blobs that work in progress is about to refer to. */
  readonly #leases = new Set<ReadonlySet<Digest>>();
  readonly #leftovers: Leftovers;

  constructor(parts: GarbageParts) {
    this.#parts = parts;
    this.#leftovers = new Leftovers(({ blobs }) => parts.inBackground(this.collect(blobs)));
  }

  /**
   * Remove layers that nothing refers to any more, and of `blobs` those. Returns the layers, topmost first. None while it is
   * not known what an image refers to.
   */
  async collect(blobs: Iterable<Digest>): Promise<readonly ChainId[]> {
    const { index, content, layers, mounted, results, reach } = this.#parts;
    if (index.isDamaged) return [];
    const ofImages = index.list().flatMap(({ chainIds }) => chainIds.at(-1) ?? []);
    const layerBlobs = layers.blobs();
    const removed = await layers.collect({ mounted: mounted(), kept: [...ofImages, ...results()] });
    const isNeeded = (digest: Digest) =>
      index.blobs().has(digest) ||
      layers.blobs().has(digest) ||
      this.#leftovers.has(digest) ||
      [...this.#leases].some((lease) => lease.has(digest));
    for (const digest of new Set([...blobs, ...layerBlobs])) {
      if (isNeeded(digest)) continue;
      await content.remove(digest, () => isNeeded(digest));
      reach("blob.removed");
    }
    return removed;
  }

  /** Keep blobs until disposal, which collects them. The set may grow meanwhile. */
  lease(blobs: ReadonlySet<Digest>): AsyncDisposable {
    this.#leases.add(blobs);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#leases.delete(blobs);
        await this.collect(blobs);
      },
    };
  }

  /** Do `work` while the blobs are safe from `collect`; after a failure, collect them. The set may grow meanwhile. */
  async leased<T>(blobs: readonly StagedBlob[], work: (lease: Set<Digest>) => Promise<T>): Promise<T> {
    const lease = new Set(blobs.map((blob) => blob.digest));
    this.#leases.add(lease);
    try {
      return await work(lease);
    } catch (error) {
      this.#leases.delete(lease);
      await this.collect(lease);
      throw error;
    } finally {
      this.#leases.delete(lease);
    }
  }

  /**
   * Do `work`, which fetches, while the blobs are safe from `collect`. What a failure leaves is for `keep` or for the next
   * `collect`.
   */
  async fetching<T>(blobs: ReadonlySet<Digest>, work: () => Promise<T>): Promise<T> {
    this.#leases.add(blobs);
    try {
      const result = await work();
      this.#leftovers.settle(blobs);
      return result;
    } finally {
      this.#leases.delete(blobs);
    }
  }

  /** What was fetched and checked of an image that is not whole stays for a while. */
  keep(leftover: Leftover): void {
    this.#leftovers.keep(leftover);
  }

  /** Nothing is received any more. */
  [Symbol.dispose](): void {
    this.#leftovers[Symbol.dispose]();
  }
}
