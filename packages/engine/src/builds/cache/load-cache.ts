import {
  type CacheConfig,
  type CacheLayer,
  cacheConfigMediaType,
  maxCacheConfigBytes,
  parseCacheConfig,
  parseInlineCache,
} from "@hawser/build";
import {
  isConfigMediaType,
  isManifestMediaType,
  type Manifest,
  maxConfigBytes,
  type Platform,
  parseImageConfig,
  parseManifest,
  platformsMatch,
} from "@hawser/oci";
import { buildFaults } from "../faults.ts";
import { type BlobOrigin, readSmallBlob } from "./blob-place.ts";

/**
 * What other builders have kept in a place: a cache of its own, as a manifest or as an index, or what an image says of how it was
 * made.
 *
 * @throws {Fault} `not-found` where there is nothing of the kind; `invalid-argument`, `data-loss` for what is not what it says
 */
export async function loadCache(
  origin: BlobOrigin,
  { platform, signal }: { readonly platform: Platform; readonly signal: AbortSignal },
): Promise<CacheConfig> {
  const top = parseManifest(await origin.readManifest(undefined, signal));
  if (top.kind === "manifest") return await readManifest(origin, top, signal);
  const config = top.manifests.find(({ mediaType }) => mediaType === cacheConfigMediaType);
  if (config !== undefined) {
    return parseCacheConfig(await readSmallBlob(origin.open(config, signal), limited(config.digest)));
  }
  const image = top.manifests.find(
    (entry) =>
      isManifestMediaType(entry.mediaType) &&
      (entry.platform === undefined || platformsMatch(platform, entry.platform)),
  );
  if (image === undefined) throw buildFaults.CACHE_MISSING(origin.name);
  const manifest = parseManifest(await origin.readManifest(image.digest, signal));
  if (manifest.kind !== "manifest") throw buildFaults.CACHE_MISSING(origin.name);
  return await readManifest(origin, manifest, signal);
}

async function readManifest(
  origin: BlobOrigin,
  { config, layers }: Manifest,
  signal: AbortSignal,
): Promise<CacheConfig> {
  if (config.mediaType === cacheConfigMediaType) {
    return parseCacheConfig(await readSmallBlob(origin.open(config, signal), limited(config.digest)));
  }
  if (!isConfigMediaType(config.mediaType)) throw buildFaults.CACHE_MISSING(origin.name);
  const options = { digest: config.digest, maxBytes: maxConfigBytes };
  const { inlineCache, diffIds } = parseImageConfig(
    await readSmallBlob(origin.open(config, signal), options),
  );
  if (inlineCache === undefined) throw buildFaults.CACHE_MISSING(origin.name);
  const chain = layers.flatMap(({ digest, mediaType, sizeBytes }, at): CacheLayer[] => {
    const diffId = diffIds[at];
    return diffId === undefined ? [] : [{ blob: digest, mediaType, diffId, sizeBytes }];
  });
  return parseInlineCache(Buffer.from(inlineCache, "base64"), chain);
}

function limited(digest: CacheLayer["blob"]) {
  return { digest, maxBytes: maxCacheConfigBytes };
}
