import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { type ChainId, chainIdsOf, type Digest, digestOf } from "@hawser/oci";
import { checkLayerCount } from "../archive/archived-image.ts";
import type { ContentStore } from "../content/content-store.ts";
import { settleWritten, type WrittenFolder } from "../files/run-files-job.ts";
import type { EncodedLayer, LayerEncoding } from "../layers/encode-layer.ts";
import type { HeldLayer, LayerStore } from "../layers/layer-store.ts";
import type { Layer, SealedLayer } from "../layers/layer-table.ts";
import type { StoreLimits } from "../limits.ts";
import type { ReachStoreStep } from "../steps.ts";
import { encodeLayers } from "./distribute-image.ts";
import type { Garbage } from "./garbage.ts";
import { type LayerNews, type LayerToReceive, receiveLayer } from "./receive-layers.ts";
import { LayerSeals } from "./seal-layers.ts";
import { type LayerInProgress, unpackAll } from "./unpack-all.ts";

export interface ImageLayersParts {
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly garbage: Garbage;
  readonly limits: StoreLimits;
  readonly inBackground: (work: Promise<unknown>) => void;
  readonly reach: ReachStoreStep;
}

/** Layers as those have them who make or share them without an image. */
export class ImageLayers {
  readonly #parts: ImageLayersParts;
  readonly #layers: LayerStore;
  readonly #seals: LayerSeals;

  constructor(parts: ImageLayersParts) {
    this.#parts = parts;
    this.#layers = parts.layers;
    this.#seals = new LayerSeals(parts);
  }

  /** Whether a layer and those below it are there. */
  has(chainId: ChainId): boolean {
    return this.#layers.has(chainId);
  }

  /** Keep a layer and those below it until disposal. */
  hold(chainId: ChainId): Disposable {
    return this.#layers.hold(chainId);
  }

  /** A layer and those below it, lowest first. @throws {Fault} `not-found` */
  chain(chainId: ChainId | undefined): readonly Layer[] {
    return this.#layers.chain(chainId).toReversed();
  }

  /** As `chain`. @throws {Fault} `not-found`, also for a layer that is not sealed */
  sealedChain(chainId: ChainId | undefined): readonly SealedLayer[] {
    return this.#layers.sealedChain(chainId).toReversed();
  }

  /**
   * A new layer on top of `parent`, of an archive, plain or compressed; held until disposal. One without entries makes none.
   *
   * @throws {Fault} as `ImageMaker.load`; `not-found` for the layer below
   */
  async add(
    archive: AsyncIterable<Uint8Array>,
    { parent, ...cancelable }: { readonly parent?: ChainId; readonly signal?: AbortSignal },
  ): Promise<HeldLayer<SealedLayer> | undefined> {
    using _hold = parent === undefined ? undefined : this.#layers.hold(parent);
    await using blob = await this.#parts.content.stage(archive, cancelable);
    if (blob.digest === emptyArchive) return undefined;
    this.#parts.reach("commit.staged");
    return await this.#parts.garbage.leased([blob], async () => {
      const held = await this.#layers.unpack({ parent, diffId: undefined, blob, ...cancelable });
      this.#parts.reach("commit.unpacked");
      return held;
    });
  }

  /**
   * A new layer on top of `parent`, of a folder that overlay has written, which is taken away from where it is; held until disposal. It
   * has no archive until it is sealed. An empty one makes none.
   *
   * @param options.madeOf what the same layer is always made of: where there is one of that on `parent` already, it is that
   * @throws {Fault} `not-found` for the layer below, `resource-exhausted`
   */
  async make(
    folder: WrittenFolder,
    options: { readonly parent?: ChainId; readonly madeOf?: string; readonly signal?: AbortSignal },
  ): Promise<HeldLayer | undefined> {
    const { parent, madeOf, signal } = options;
    using _hold = parent === undefined ? undefined : this.#layers.hold(parent);
    const sizeBytes = await settleWritten(folder, signal && { signal });
    if ((await readdir(folder.path, { encoding: "buffer" })).length === 0) return undefined;
    const name = digestOf(madeOf === undefined ? randomBytes(32) : Buffer.from(madeOf));
    return await this.#layers.make({ path: folder.path, sizeBytes, parent, name });
  }

  /** @see LayerSeals.seal */
  async seal(
    chainId: ChainId,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<HeldLayer<SealedLayer>> {
    return await this.#seals.seal(chainId, options);
  }

  /** Of the layers that are sealed with all below them, the chain ids by which others know them. */
  sealedNames(): ReadonlyMap<ChainId, ChainId> {
    return this.#layers.sealedNames();
  }

  /** Bring to the disk what was made, in the background: what was not is gone after a power cut. */
  sync(): void {
    this.#parts.inBackground(this.#layers.sync());
  }

  /**
   * Take in layers; those that are there are not fetched. Held until disposal.
   *
   * @param origins lowest first
   * @throws {Fault} as `ImageMaker.receive`
   */
  async receive(
    origins: readonly LayerToReceive[],
    options: {
      readonly signal?: AbortSignal;
      readonly onNews?: (index: number, news: LayerNews) => void;
    } = {},
  ): Promise<Disposable> {
    const { signal, onNews = () => {} } = options;
    checkLayerCount({ wanted: origins.length, is: origins.length, limits: this.#parts.limits });
    const chainIds = chainIdsOf(origins.map(({ diffId }) => diffId));
    using holds = new DisposableStack();
    for (const chainId of chainIds) holds.use(this.#layers.hold(chainId));
    await using _lease = this.#parts.garbage.lease(new Set(origins.map(({ origin }) => origin.digest)));
    const layers = origins.map(
      (layer, index): LayerInProgress => ({
        diffId: layer.diffId,
        sizeBytes: layer.origin.sizeBytes,
        begin: async (context) => {
          const chainId = chainIds[index];
          if (chainId === undefined || !this.#layers.has(chainId)) {
            return await receiveLayer(this.#parts, layer, {
              ...context,
              onNews: (news) => onNews(index, news),
            });
          }
          const hold = this.#layers.hold(chainId);
          return { layer: this.#layers.get(chainId), [Symbol.dispose]: () => hold[Symbol.dispose]() };
        },
      }),
    );
    await using _received = await unpackAll(layers, signal && { signal });
    this.#parts.inBackground(this.#layers.sync());
    return holds.move();
  }

  /**
   * Layers that are there as others get them, in the order that they are asked for. Nothing of them goes while `use` runs.
   *
   * @throws {Fault} `not-found`, `resource-exhausted`; what `use` throws
   */
  async distribute<T>(
    chainIds: readonly ChainId[],
    encoding: LayerEncoding,
    options: {
      readonly use: (layers: readonly EncodedLayer[]) => Promise<T>;
      readonly signal?: AbortSignal;
    },
  ): Promise<T> {
    const { use, signal } = options;
    using holds = new DisposableStack();
    for (const chainId of chainIds) holds.use(this.#layers.hold(chainId));
    const lease = new Set<Digest>();
    await using _lease = this.#parts.garbage.lease(lease);
    return await use(
      await encodeLayers(this.#parts, chainIds, { encoding, lease, ...(signal && { signal }) }),
    );
  }

  /** Remove those that nothing needs. */
  async collect(): Promise<void> {
    await this.#parts.garbage.collect([]);
  }
}

/** What an archive without entries hashes to: 1024 zeros. */
export const emptyArchive = digestOf(Buffer.alloc(1024));
