import { pipeline } from "node:stream";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { type ChainId, type Digest, mediaTypes } from "@hawser/oci";
import type { BlobInfo, ContentStore } from "../content/content-store.ts";
import type { StoreLimits } from "../limits.ts";
import type { ReachStoreStep } from "../steps.ts";
import { compressionOf, decompress } from "./decompress.ts";
import type { LayerStore } from "./layer-store.ts";

export type LayerCompression = "gzip" | "zstd" | "uncompressed";

/** How layers are written that others are to have. */
export interface LayerEncoding {
  readonly compression: LayerCompression;
  /** As the library counts it: gzip 0 to 9, zstd 1 to 22. Default: ours. */
  readonly level?: number;
  /** Also those that have another compression already. */
  readonly force: boolean;
}

/** A layer as others get it: its blob is in the content store. */
export interface EncodedLayer extends BlobInfo {
  readonly diffId: Digest;
  readonly compression: LayerCompression;
}

interface Parts {
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly limits: StoreLimits;
  readonly reach: ReachStoreStep;
}

/**
 * A layer's blob in a compression. One that is kept plain and is compressed for the first time is kept so from then on.
 *
 * @param options.lease gets every blob before it exists
 * @throws {Fault} `not-found`, `data-loss`, `resource-exhausted`
 */
export async function encodeLayer(
  { content, layers, limits, reach }: Parts,
  chainId: ChainId,
  options: { readonly encoding: LayerEncoding; readonly lease: Set<Digest>; readonly signal?: AbortSignal },
): Promise<EncodedLayer> {
  const { encoding, lease, signal } = options;
  const { diffId, blob } = layers.archiveOf(chainId);
  lease.add(blob);
  const kept = await content.get(blob);
  const is = await readCompression(content, blob);
  const { compression } = encoding;
  if (is === compression || (is !== "uncompressed" && !encoding.force)) {
    return { ...kept, diffId, compression: is };
  }
  const plain = decompress(content.open(blob, signal && { signal }), limits);
  await using made = await content.stage(compress(plain, encoding), signal && { signal });
  lease.add(made.digest);
  await made.commit();
  reach("encode.kept");
  if (is === "uncompressed") layers.replaceBlob(chainId, made.digest);
  reach("encode.recorded");
  return { digest: made.digest, sizeBytes: made.sizeBytes, diffId, compression };
}

async function readCompression(content: ContentStore, digest: Digest): Promise<LayerCompression> {
  await using file = await content.openFile(digest);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, 0);
  const compression = compressionOf(buffer.subarray(0, bytesRead));
  return compression === "none" ? "uncompressed" : compression;
}

/** A fifth larger than zlib's default makes it, in a third of the time. */
const gzipLevel = 3;

const chunkSize = 256 * 1024;

function compress(
  plain: AsyncIterable<Uint8Array>,
  { compression, level }: LayerEncoding,
): AsyncIterable<Uint8Array> {
  switch (compression) {
    case "uncompressed":
      return plain;
    case "gzip": {
      const gzip = createGzip({ level: level ?? gzipLevel, memLevel: constants.Z_MAX_MEMLEVEL, chunkSize });
      return pipeline(plain, gzip, () => {});
    }
    case "zstd": {
      const params = { [constants.ZSTD_c_compressionLevel]: level ?? constants.ZSTD_CLEVEL_DEFAULT };
      return pipeline(plain, createZstdCompress({ params, chunkSize }), () => {});
    }
  }
}

const ociTypes = {
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
  uncompressed: mediaTypes.ociLayer,
} as const;

/** What manifests call a layer of that compression. Docker has no word for zstd. */
export function layerMediaType(
  compression: LayerCompression,
  { isDocker }: { readonly isDocker: boolean },
): string {
  if (!isDocker || compression === "zstd") return ociTypes[compression];
  return compression === "gzip" ? mediaTypes.dockerLayerGzip : mediaTypes.dockerLayer;
}
