import {
  type ChainId,
  chainIdOf,
  type Digest,
  DocumentReader,
  parseDigest,
  parseForeignJson,
} from "@hawser/oci";

/** BuildKit's form of kept results that were brought out of a builder, cache/remotecache/v1. */
export const cacheConfigMediaType = "application/vnd.buildkit.cacheconfig.v0";

/** A layer of a kept result, in a place that is not this builder's. */
export interface CacheLayer {
  readonly blob: Digest;
  readonly mediaType: string;
  readonly diffId: Digest;
  readonly sizeBytes: number;
}

/** What a key's work has once come to. */
export interface CacheResult {
  readonly key: Digest;
  /** Names the whole of the layers, the lowest included. */
  readonly chainId: ChainId;
}

/** Kept results of a builder, and where their layers are. Nothing of it is known to be true. */
export class CacheConfig {
  readonly #results: ReadonlyMap<string, ChainId>;
  readonly #layers: ReadonlyMap<ChainId, PlacedLayer>;

  constructor(results: ReadonlyMap<string, ChainId>, layers: ReadonlyMap<ChainId, PlacedLayer>) {
    this.#results = results;
    this.#layers = layers;
  }

  get size(): number {
    return this.#results.size;
  }

  find(key: Digest): ChainId | undefined {
    return this.#results.get(key);
  }

  /** The layers of a result, lowest first. */
  layersOf(chainId: ChainId): readonly CacheLayer[] {
    const found: CacheLayer[] = [];
    for (let at: ChainId | undefined = chainId; at !== undefined; ) {
      const placed = this.#layers.get(at);
      if (placed === undefined) break;
      found.push(placed.layer);
      at = placed.parent;
    }
    return found.toReversed();
  }
}

interface PlacedLayer {
  readonly layer: CacheLayer;
  readonly parent: ChainId | undefined;
}

/** Largest document that is read. */
export const maxCacheConfigBytes = 8 << 20;

/** As many layers as overlay takes. */
const maxChain = 500;

/**
 * Read what a builder has written. Layers that lead nowhere, to each other in a circle or through more than 500 others are left out,
 * and so are results of them: most likely another builder knows what to make of them.
 *
 *     {"layers": [{"blob", "parent", "annotations": {"mediaType", "diffID", "size"}}],
 *      "records": [{"digest", "layers": [{"layer"}]}]}
 *
 * `parent` is a place in the list, -1 for none, and 0 where it is left out.
 *
 * @throws {Fault} `invalid-argument` for what is no such document
 */
export function parseCacheConfig(data: Uint8Array): CacheConfig {
  const what = "cache configuration";
  const reader = new DocumentReader(parseForeignJson(data, { what, maxBytes: maxCacheConfigBytes }), what);
  const layers = (reader.objects("layers") ?? []).map(readLayer);
  return gather(layers, readRecords(reader.objects("records") ?? []));
}

/**
 * Read what an image says of how it was made (`moby.buildkit.cache.v0` of its configuration): the same records, whose layers are the
 * image's.
 *
 * @param layers of the image, lowest first
 * @throws {Fault} `invalid-argument`
 */
export function parseInlineCache(data: Uint8Array, layers: readonly CacheLayer[]): CacheConfig {
  const what = "inline cache";
  const records = parseForeignJson(data, { what, maxBytes: maxCacheConfigBytes });
  const reader = new DocumentReader({ records }, what);
  const listed = layers.map((layer, at) => ({ layer, parent: at - 1 }));
  return gather(listed, readRecords(reader.objects("records") ?? []));
}

interface ListedLayer {
  readonly layer: CacheLayer;
  readonly parent: number;
}

/** `undefined`: one that cannot be used. */
function readLayer(reader: DocumentReader): ListedLayer | undefined {
  const annotations = reader.object("annotations");
  const diffId = annotations?.string("diffID");
  const blob = reader.string("blob");
  const sizeBytes = annotations?.integer("size") ?? -1;
  if (diffId === undefined || blob === undefined || sizeBytes < 0) return undefined;
  return {
    layer: {
      blob: parseDigest(blob),
      diffId: parseDigest(diffId),
      mediaType: annotations?.string("mediaType") ?? "",
      sizeBytes,
    },
    parent: reader.integer("parent") ?? 0,
  };
}

function readRecords(records: readonly DocumentReader[]): readonly (readonly [Digest, number])[] {
  return records.flatMap((record) => {
    const digest = record.string("digest");
    const [first] = record.objects("layers") ?? [];
    if (digest === undefined || first === undefined) return [];
    return [[parseDigest(digest), first.integer("layer") ?? 0] as const];
  });
}

function gather(
  layers: readonly (ListedLayer | undefined)[],
  records: readonly (readonly [Digest, number])[],
): CacheConfig {
  const chains = chainsOf(layers);
  const placed = new Map<ChainId, PlacedLayer>();
  for (const [at, listed] of layers.entries()) {
    const chain = chains[at];
    if (listed === undefined || chain === undefined) continue;
    placed.set(chain.chainId, { layer: listed.layer, parent: chain.parent });
  }
  const results = new Map<string, ChainId>();
  for (const [key, layer] of records) {
    const chain = chains[layer];
    if (chain !== undefined && !results.has(key)) results.set(key, chain.chainId);
  }
  return new CacheConfig(results, placed);
}

interface Chain {
  readonly chainId: ChainId;
  readonly parent: ChainId | undefined;
  readonly length: number;
}

/** What each layer comes to on top of those below it; each is looked at once, whatever the list says. */
function chainsOf(layers: readonly (ListedLayer | undefined)[]): readonly (Chain | undefined)[] {
  const chains: (Chain | undefined)[] = layers.map(() => undefined);
  const seen = new Set<number>();
  for (const start of layers.keys()) {
    const open: number[] = [];
    for (let at = start; at >= 0 && at < layers.length && !seen.has(at); at = layers[at]?.parent ?? -2) {
      seen.add(at);
      open.push(at);
    }
    for (const at of open.toReversed()) {
      const listed = layers[at];
      if (listed === undefined) continue;
      const below = listed.parent < 0 ? undefined : chains[listed.parent];
      const length = (below?.length ?? 0) + 1;
      if ((listed.parent !== -1 && below === undefined) || length > maxChain) continue;
      const parent = below?.chainId;
      chains[at] = { chainId: chainIdOf(listed.layer.diffId, parent), parent, length };
    }
  }
  return chains;
}

/** Results to bring out, as `parseCacheConfig` reads them. @param chains the layers of the results, lowest first */
export function formatCacheConfig(results: ReadonlyMap<Digest, readonly CacheLayer[]>): {
  readonly bytes: Buffer;
  readonly layers: readonly CacheLayer[];
} {
  const places = new Map<ChainId, number>();
  const layers: CacheLayer[] = [];
  const listed: object[] = [];
  const records = [...results].flatMap(([digest, chain]) => {
    let parent: ChainId | undefined;
    let place = -1;
    for (const layer of chain) {
      const chainId = chainIdOf(layer.diffId, parent);
      const known = places.get(chainId);
      if (known === undefined) {
        const { blob, mediaType, diffId: diffID, sizeBytes: size } = layer;
        listed.push({ blob, parent: place, annotations: { mediaType, diffID, size } });
        layers.push(layer);
        places.set(chainId, layers.length - 1);
      }
      place = places.get(chainId) ?? -1;
      parent = chainId;
    }
    return place < 0 ? [] : [{ layers: [{ layer: place }], digest }];
  });
  return { bytes: Buffer.from(JSON.stringify({ layers: listed, records })), layers };
}

/** Results whose layers are an image's own, as `parseInlineCache` reads them. @param diffIds of the image, lowest first */
export function formatInlineCache(
  results: ReadonlyMap<Digest, readonly Pick<CacheLayer, "diffId">[]>,
  diffIds: readonly Digest[],
): Buffer {
  const records = [...results].flatMap(([digest, chain]) => {
    const isOwn = chain.length > 0 && chain.every(({ diffId }, at) => diffIds[at] === diffId);
    return isOwn ? [{ layers: [{ layer: chain.length - 1 }], digest }] : [];
  });
  return Buffer.from(JSON.stringify(records));
}
