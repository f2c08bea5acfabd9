import { type ChainId, chainIdsOf, type Digest } from "@hawser/oci";
import { checkLayerCount } from "../archive/archived-image.ts";
import type { ContentStore } from "../content/content-store.ts";
import type { EncodedLayer, LayerEncoding } from "../layers/encode-layer.ts";
import type { LayerStore } from "../layers/layer-store.ts";
import type { StoreLimits } from "../limits.ts";
import type { ReachStoreStep } from "../steps.ts";
import { encodeLayers } from "./distribute-image.ts";
import { type LayerNews, type LayerToReceive, receiveLayer } from "./receive-layers.ts";
import { type LayerInProgress, unpackAll } from "./unpack-all.ts";

/** Layers that come and go without an image. */
export class LayerExchange {
  readonly #content: ContentStore;
  readonly #layers: LayerStore;
  readonly #limits: StoreLimits;
  readonly #lease: (blobs: Set<Digest>) => AsyncDisposable;
  readonly #onReceive: () => void;
  readonly #reach: ReachStoreStep;

  constructor(parts: {
    readonly content: ContentStore;
    readonly layers: LayerStore;
    readonly limits: StoreLimits;
    /** Keep blobs until disposal, which collects those that nothing refers to. */
    readonly lease: (blobs: Set<Digest>) => AsyncDisposable;
    readonly onReceive: () => void;
    readonly reach: ReachStoreStep;
  }) {
    this.#content = parts.content;
    this.#layers = parts.layers;
    this.#limits = parts.limits;
    this.#lease = parts.lease;
    this.#onReceive = parts.onReceive;
    this.#reach = parts.reach;
  }

  /** Whether a layer and those below it are there. */
  has(chainId: ChainId): boolean {
    return this.#layers.has(chainId);
  }

  /**
   * Take in layers; those that are there are not fetched. Held until disposal.
   *
   * @param origins lowest first
   * @throws {Fault} as `ImageStore.receive`
   */
  async receive(
    origins: readonly LayerToReceive[],
    options: {
      readonly signal?: AbortSignal;
      readonly onNews?: (index: number, news: LayerNews) => void;
    } = {},
  ): Promise<Disposable> {
    const { signal, onNews = () => {} } = options;
    checkLayerCount({ wanted: origins.length, is: origins.length, limits: this.#limits });
    const chainIds = chainIdsOf(origins.map(({ diffId }) => diffId));
    using holds = new DisposableStack();
    for (const chainId of chainIds) holds.use(this.#layers.hold(chainId));
    await using _lease = this.#lease(new Set(origins.map(({ origin }) => origin.digest)));
    const parts = { content: this.#content, layers: this.#layers };
    const layers = origins.map(
      (layer, index): LayerInProgress => ({
        diffId: layer.diffId,
        sizeBytes: layer.origin.sizeBytes,
        begin: async (context) => {
          const chainId = chainIds[index];
          if (chainId === undefined || !this.#layers.has(chainId)) {
            return await receiveLayer(parts, layer, { ...context, onNews: (news) => onNews(index, news) });
          }
          const hold = this.#layers.hold(chainId);
          return { layer: this.#layers.get(chainId), [Symbol.dispose]: () => hold[Symbol.dispose]() };
        },
      }),
    );
    await using _received = await unpackAll(layers, signal && { signal });
    this.#onReceive();
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
    await using _lease = this.#lease(lease);
    const parts = {
      content: this.#content,
      layers: this.#layers,
      limits: this.#limits,
      reach: this.#reach,
    };
    return await use(await encodeLayers(parts, chainIds, { encoding, lease, ...(signal && { signal }) }));
  }
}
