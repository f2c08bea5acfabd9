import { createHash } from "node:crypto";
import { Fault } from "@hawser/base";
import type { CacheConfig, CacheLayer } from "@hawser/build";
import { type ChainId, chainIdsOf, type Digest, parseDigest } from "@hawser/oci";
import type { BuildCache, ImageStore } from "@hawser/store";
import type { ReachEngineStep } from "../../steps.ts";
import { buildFaults } from "../faults.ts";

/** A place that has results of other builders. */
export interface ResultSource {
  readonly name: string;
  /** @throws {Fault} for whatever reason there is nothing to be had */
  load(signal: AbortSignal): Promise<CacheConfig>;
  open(layer: CacheLayer, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

interface FoundResult {
  readonly source: ResultSource;
  readonly layers: readonly CacheLayer[];
  /** What they are kept under here once their layers are here. */
  readonly keys: Map<string, string>;
}

/** What a result's key is called among builders. */
export function digestOfKey(key: string): Digest {
  const hex = /^[0-9a-f]{64}$/.test(key) ? key : createHash("sha256").update(key).digest("hex");
  return parseDigest(`sha256:${hex}`);
}

/** Codes of the store's faults of a full disk. */
const noSpace: ReadonlySet<string> = new Set(["DISK_FULL", "LAYER_NO_SPACE"]);

/** Whether what another builder has promised could not be had here; the work goes without it. */
export function isCacheFailure(error: unknown): error is Fault {
  return Fault.is(error) && (error.code === "CACHE_BROKEN" || error.code === "CACHE_NO_SPACE");
}

/**
 * Results of other builders that a build may use. What is found is taken at its word: its layers come when something needs their
 * files, and then they are checked. A place that turns out to lie, to be gone, or to have more than there is room for, is left out
 * from then on.
 */
export class ImportedResults {
  readonly #sources: Set<ResultSource>;
  readonly #images: ImageStore;
  readonly #cache: BuildCache;
  readonly #warn: (name: string, error: unknown) => void;
  readonly #signal: AbortSignal;
  readonly #reach: ReachEngineStep;
  readonly #loaded = new Map<ResultSource, Promise<CacheConfig | undefined>>();
  readonly #found = new Map<ChainId, FoundResult>();
  readonly #coming = new Map<ChainId, Promise<void>>();
  readonly #broken = new Map<Fault, ResultSource>();
  readonly #holds = new DisposableStack();

  constructor(
    sources: readonly ResultSource[],
    parts: {
      readonly images: ImageStore;
      readonly cache: BuildCache;
      /** A place is left out. */
      readonly warn: (name: string, error: unknown) => void;
      readonly signal: AbortSignal;
      readonly reach: ReachEngineStep;
    },
  ) {
    this.#sources = new Set(sources);
    this.#images = parts.images;
    this.#cache = parts.cache;
    this.#warn = parts.warn;
    this.#signal = parts.signal;
    this.#reach = parts.reach;
  }

  /** Whether any place has something. */
  async hasAny(): Promise<boolean> {
    for (const source of this.#sources) if ((await this.#load(source)) !== undefined) return true;
    return false;
  }

  /**
   * What a key's work has come to elsewhere. Its layers may not be here yet.
   *
   * @param key.own what it is kept under here
   * @param key.shared what all builders call it
   * @param description for those who look at the cache
   */
  async find(
    { own, shared }: { readonly own: string; readonly shared: string },
    description: string,
  ): Promise<ChainId | undefined> {
    for (const source of this.#sources) {
      const config = await this.#load(source);
      const chainId = config?.find(digestOfKey(shared));
      if (config === undefined || chainId === undefined) continue;
      const found = this.#found.get(chainId) ?? { source, layers: config.layersOf(chainId), keys: new Map() };
      found.keys.set(own, description);
      this.#found.set(chainId, found);
      return chainId;
    }
    return undefined;
  }

  /** Have the layers here of what was found; nothing for what is the builder's own. @throws {Fault} that `drop` knows */
  async receive(chainId: ChainId | undefined): Promise<void> {
    const found = chainId === undefined ? undefined : this.#found.get(chainId);
    if (chainId === undefined || found === undefined) return;
    const coming = this.#coming.get(chainId) ?? this.#receive(found);
    this.#coming.set(chainId, coming);
    await coming;
  }

  /**
   * Leave out the place that a failure came from.
   *
   * @returns whether the work may go better now
   */
  drop(error: unknown): boolean {
    const source = Fault.is(error) ? this.#broken.get(error) : undefined;
    if (source === undefined) return false;
    this.#leaveOut(source, error);
    return true;
  }

  [Symbol.dispose](): void {
    this.#holds.dispose();
  }

  async #load(source: ResultSource): Promise<CacheConfig | undefined> {
    const loading =
      this.#loaded.get(source) ??
      source.load(this.#signal).catch((error: unknown) => {
        this.#signal.throwIfAborted();
        this.#leaveOut(source, error);
        return undefined;
      });
    this.#loaded.set(source, loading);
    return await loading;
  }

  #leaveOut(source: ResultSource, error: unknown): void {
    if (!this.#sources.delete(source)) return;
    this.#warn(source.name, error);
    for (const [chainId, found] of this.#found) {
      if (found.source !== source || this.#images.layers.has(chainId)) continue;
      this.#found.delete(chainId);
      this.#coming.delete(chainId);
    }
  }

  async #receive({ source, layers }: FoundResult): Promise<void> {
    try {
      const origins = layers.map((layer) => ({
        diffId: layer.diffId,
        origin: {
          digest: layer.blob,
          sizeBytes: layer.sizeBytes,
          open: (signal: AbortSignal) => source.open(layer, signal),
        },
      }));
      const held = await this.#images.layers.receive(origins, { signal: this.#signal });
      if (this.#holds.disposed) held[Symbol.dispose]();
      else this.#holds.use(held);
    } catch (error) {
      this.#signal.throwIfAborted();
      const { code, message } = Fault.from(error);
      const fault = (
        noSpace.has(code)
          ? buildFaults.CACHE_NO_SPACE(source.name)
          : buildFaults.CACHE_BROKEN(source.name, message)
      ).because(error);
      this.#broken.set(fault, source);
      throw fault;
    }
    this.#reach("build.imported");
    this.#keep();
  }

  /** What is here now is found without the other builder the next time. */
  #keep(): void {
    for (const [chainId, { layers, keys }] of this.#found) {
      if (keys.size === 0 || !this.#images.layers.has(chainId)) continue;
      const parent = chainIdsOf(layers.map(({ diffId }) => diffId)).at(-2);
      for (const [key, description] of keys) {
        this.#cache.put({ key, chainId, ...(parent !== undefined && { parent }), description });
      }
      keys.clear();
    }
  }
}
