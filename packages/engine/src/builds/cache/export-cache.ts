import { type CacheLayer, cacheConfigMediaType, formatCacheConfig, formatInlineCache } from "@hawser/build";
import { type ChainId, type Digest, digestOf, mediaTypes } from "@hawser/oci";
import type { ContentStore, ImageStore, LayerEncoding } from "@hawser/store";
import { layerMediaType } from "@hawser/store";
import type { ReachEngineStep } from "../../steps.ts";
import { readLayerEncoding, readTruth } from "../export/attributes.ts";
import type { VertexResult } from "../image-build.ts";
import { type SealOptions, sealResult, sealState } from "../seal-result.ts";
import type { BlobTarget, GivenManifest } from "./blob-place.ts";
import { digestOfKey } from "./imported-results.ts";

/** What is brought out: by keys, what the work has come to, both as all builders call them. */
export type ResultsToExport = ReadonlyMap<string, ChainId>;

/** How a cache is written down. */
export interface CacheForm {
  readonly encoding: LayerEncoding;
  readonly isOci: boolean;
  /** As a manifest, which every registry takes; else as an index. */
  readonly isManifest: boolean;
}

/** @throws {Fault} `invalid-argument` */
export function readCacheForm(attributes: Readonly<Record<string, string>>): CacheForm {
  const isOci = readTruth(attributes, "oci-mediatypes", true);
  return {
    encoding: readLayerEncoding(attributes),
    isOci,
    isManifest: readTruth(attributes, "image-manifest", isOci),
  };
}

/**
 * Those that make a difference: all, or (`min`) those whose layers are a result's own.
 *
 * @param tops topmost layers of the results
 */
export function resultsToExport(
  results: readonly VertexResult[],
  {
    mode,
    tops,
    images,
  }: { readonly mode: string; readonly tops: readonly ChainId[]; readonly images: ImageStore },
): readonly VertexResult[] {
  const own = new Set(tops.flatMap((top) => images.layers.chain(top).map(({ chainId }) => chainId)));
  return results.filter(({ chainId }) => images.layers.has(chainId) && (mode === "max" || own.has(chainId)));
}

/**
 * Results as all builders know them, in the order of their keys: which of several steps was done first changes nothing. Archives are
 * made of what has none.
 *
 * @throws {Fault} as `sealResult`
 */
export async function shareResults(
  results: readonly VertexResult[],
  options: SealOptions,
): Promise<ResultsToExport> {
  const shared = await Promise.all(
    results.map(async ({ chainId, inputs, keyOf }): Promise<readonly (readonly [string, ChainId])[]> => {
      const sealed = await sealResult({ kind: "files", chainId }, options);
      const key = keyOf(await Promise.all(inputs.map((input) => sealState(input, options))));
      return sealed.chainId === undefined ? [] : [[key, sealed.chainId]];
    }),
  );
  return new Map(shared.flat().toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/**
 * Bring results to a place that keeps them for other builders: their layers, what says which are which, and a manifest of all of it.
 *
 * @returns the manifest's descriptor
 * @throws {Fault} what the place says
 */
export async function exportCache(
  results: ResultsToExport,
  target: BlobTarget,
  options: {
    readonly form: CacheForm;
    readonly images: ImageStore;
    readonly content: ContentStore;
    readonly onBlob: (digest: Digest) => void;
    readonly reach: ReachEngineStep;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly mediaType: string; readonly digest: Digest; readonly size: number }> {
  const { form, images, content, onBlob, reach, signal } = options;
  const chains = new Map([...results].map(([key, chainId]) => [key, images.layers.chain(chainId)]));
  const chainIds = [...new Set([...chains.values()].flatMap((chain) => chain.map(({ chainId }) => chainId)))];
  return await images.layers.distribute(chainIds, form.encoding, {
    signal,
    async use(encoded) {
      const byChain = new Map(
        encoded.map(
          ({ digest: blob, diffId, sizeBytes, compression }, at): [ChainId | undefined, CacheLayer] => [
            chainIds[at],
            { blob, diffId, sizeBytes, mediaType: layerMediaType(compression, { isDocker: !form.isOci }) },
          ],
        ),
      );
      const listed = [...chains].map(([key, chain]): readonly [Digest, readonly CacheLayer[]] => [
        digestOfKey(key),
        chain.flatMap(({ chainId }) => byChain.get(chainId) ?? []),
      ]);
      const { bytes, layers } = formatCacheConfig(new Map(listed));
      const unique = [...new Map(layers.map((layer) => [layer.blob, layer])).values()];
      for (const { blob: digest, sizeBytes } of unique) {
        const open = (start?: number, end?: number) =>
          content.open(digest, {
            ...(start !== undefined && { start }),
            ...(end !== undefined && { end }),
            signal,
          });
        await target.put({ digest, sizeBytes, open }, signal);
        onBlob(digest);
      }
      const config = { digest: digestOf(bytes), sizeBytes: bytes.length };
      const open = async function* (start = 0, end = bytes.length) {
        yield bytes.subarray(start, end);
      };
      await target.put({ ...config, open }, signal);
      const manifest = manifestOf(unique, config, form);
      reach("build.sent");
      await target.putManifest(manifest, { isTop: true, signal });
      reach("build.named");
      return { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length };
    },
  });
}

function manifestOf(
  layers: readonly CacheLayer[],
  config: { readonly digest: Digest; readonly sizeBytes: number },
  { isOci, isManifest }: CacheForm,
): GivenManifest {
  const described = layers.map(({ blob: digest, mediaType, sizeBytes: size, diffId }) => ({
    mediaType,
    digest,
    size,
    annotations: { "containerd.io/uncompressed": diffId },
  }));
  const own = { mediaType: cacheConfigMediaType, digest: config.digest, size: config.sizeBytes };
  const mediaType = isManifest
    ? isOci
      ? mediaTypes.ociManifest
      : mediaTypes.dockerManifest
    : isOci
      ? mediaTypes.ociIndex
      : mediaTypes.dockerManifestList;
  const document = isManifest
    ? { schemaVersion: 2, mediaType, config: own, layers: described }
    : { schemaVersion: 2, mediaType, manifests: [...described, own] };
  const bytes = Buffer.from(JSON.stringify(document));
  return { digest: digestOf(bytes), mediaType, bytes };
}

/** What an image of these layers says of how it was made, in base64; absent: nothing. */
export function inlineCacheOf(
  results: ResultsToExport,
  { diffIds, images }: { readonly diffIds: readonly Digest[]; readonly images: ImageStore },
): string {
  const chains = [...results].map(
    ([key, chainId]) => [digestOfKey(key), images.layers.sealedChain(chainId)] as const,
  );
  return formatInlineCache(new Map(chains), diffIds).toString("base64");
}
