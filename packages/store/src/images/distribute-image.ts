import { availableParallelism } from "node:os";
import { pipeline } from "node:stream";
import { constants, createGzip } from "node:zlib";
import { Semaphore } from "@hawser/base";
import { type Digest, mediaTypes, parseManifest } from "@hawser/oci";
import { type BlobInfo, type ContentStore, digestOf, type StagedBlob } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import { compressionOf } from "../layers/decompress.ts";
import type { LayerStore } from "../layers/layer-store.ts";
import type { ImageRecord } from "./image-index.ts";

/** A layer as it is given to a registry. */
export interface DistributableLayer extends BlobInfo {
  readonly diffId: Digest;
  /** Registries do not get it: whoever wants it fetches it from where it comes from. */
  readonly isForeign: boolean;
}

/** An image as it is given to a registry; every blob but foreign ones is in the content store. */
export interface DistributableImage {
  readonly manifest: { readonly digest: Digest; readonly mediaType: string; readonly bytes: Buffer };
  readonly config: BlobInfo;
  /** Lowest first. */
  readonly layers: readonly DistributableLayer[];
}

interface Parts {
  readonly content: ContentStore;
  readonly layers: LayerStore;
}

/** The image with the manifest that it came with: byte for byte what it was. @throws {Fault} `data-loss` */
export async function readDistributable(
  record: ImageRecord & { readonly manifestDigest: Digest },
  { content }: Parts,
): Promise<DistributableImage> {
  const bytes = await content.read(record.manifestDigest);
  const manifest = parseManifest(bytes);
  if (manifest.kind !== "manifest") throw storeFaults.BLOB_DAMAGED(record.manifestDigest);
  return {
    manifest: {
      digest: record.manifestDigest,
      mediaType: manifest.mediaType ?? mediaTypes.ociManifest,
      bytes,
    },
    config: manifest.config,
    layers: manifest.layers.map(({ digest, sizeBytes, mediaType }, index) => ({
      digest,
      sizeBytes,
      diffId: record.config.diffIds[index] ?? digest,
      isForeign: /\bnondistributable\b|\bforeign\b/.test(mediaType),
    })),
  };
}

/**
 * The image with a manifest of our own. Layers that are kept plain are compressed, and kept so from then on.
 *
 * @param options.lease gets every blob before it exists
 */
export async function makeDistributable(
  record: ImageRecord,
  { content, layers }: Parts,
  options: { readonly lease: Set<Digest>; readonly signal?: AbortSignal },
): Promise<DistributableImage> {
  const { lease, signal } = options;
  const places = new Semaphore(availableParallelism());
  const made = await Promise.all(
    record.chainIds.map(async (chainId, index) => {
      using _place = await places.acquire(signal);
      const kept = await content.get(layers.blobOf(chainId));
      lease.add(kept.digest);
      const compression = await readCompression(content, kept.digest);
      const diffId = record.config.diffIds[index] ?? kept.digest;
      if (compression !== "none") return { ...kept, diffId, compression, isForeign: false };
      await using blob = await compressBlob(content, kept.digest, signal);
      lease.add(blob.digest);
      await blob.commit();
      layers.replaceBlob(chainId, blob.digest);
      const { digest, sizeBytes } = blob;
      return { digest, sizeBytes, diffId, compression: "gzip" as const, isForeign: false };
    }),
  );
  const config = await content.get(record.id);
  const isDocker = made.every(({ compression }) => compression === "gzip");
  const types = isDocker
    ? { manifest: mediaTypes.dockerManifest, config: mediaTypes.dockerConfig }
    : { manifest: mediaTypes.ociManifest, config: mediaTypes.ociConfig };
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, size: config.sizeBytes, digest: config.digest },
      layers: made.map(({ digest, sizeBytes, compression }) => ({
        mediaType: isDocker ? mediaTypes.dockerLayerGzip : ociLayerTypes[compression],
        size: sizeBytes,
        digest,
      })),
    }),
  );
  return { manifest: { digest: digestOf(bytes), mediaType: types.manifest, bytes }, config, layers: made };
}

const ociLayerTypes = { gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd } as const;

async function readCompression(content: ContentStore, digest: Digest): Promise<"none" | "gzip" | "zstd"> {
  await using file = await content.openFile(digest);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, 0);
  return compressionOf(buffer.subarray(0, bytesRead));
}

/** A fifth larger than zlib's default makes it, in a third of the time. */
const level = 3;

async function compressBlob(
  content: ContentStore,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<StagedBlob> {
  const gzip = createGzip({ level, memLevel: constants.Z_MAX_MEMLEVEL, chunkSize: 256 * 1024 });
  const compressed = pipeline(content.open(digest, signal && { signal }), gzip, () => {});
  return await content.stage(compressed, signal && { signal });
}
