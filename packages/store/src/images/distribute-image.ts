import { availableParallelism } from "node:os";
import { Semaphore } from "@hawser/base";
import { type ChainId, type Digest, digestOf, mediaTypes, parseManifest } from "@hawser/oci";
import type { BlobInfo, ContentStore } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import {
  type EncodedLayer,
  encodeLayer,
  type LayerEncoding,
  layerMediaType,
} from "../layers/encode-layer.ts";
import type { LayerStore } from "../layers/layer-store.ts";
import type { StoreLimits } from "../limits.ts";
import type { ReachStoreStep } from "../steps.ts";
import type { ImageRecord } from "./image-index.ts";

/** A layer as it is given to a registry. */
export interface DistributableLayer extends BlobInfo {
  readonly diffId: Digest;
  /** `isForeignLayer` */
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
  readonly limits: StoreLimits;
  readonly reach: ReachStoreStep;
}

/** Whether registries do not get it: whoever wants it fetches it from where it comes from. */
export function isForeignLayer(mediaType: string): boolean {
  return /\bnondistributable\b|\bforeign\b/.test(mediaType);
}

/** The image with the manifest that it came with: byte for byte what it was. @throws {Fault} `data-loss` */
export async function readDistributable(
  record: ImageRecord & { readonly manifestDigest: Digest },
  { content }: Pick<Parts, "content">,
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
      isForeign: isForeignLayer(mediaType),
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
  parts: Parts,
  options: { readonly lease: Set<Digest>; readonly signal?: AbortSignal },
): Promise<DistributableImage> {
  const { lease, signal } = options;
  const { content } = parts;
  const encoding: LayerEncoding = { compression: "gzip", force: false };
  const made = await encodeLayers(parts, record.chainIds, { encoding, lease, ...(signal && { signal }) });
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
        mediaType: layerMediaType(compression, { isDocker }),
        size: sizeBytes,
        digest,
      })),
    }),
  );
  return {
    manifest: { digest: digestOf(bytes), mediaType: types.manifest, bytes },
    config,
    layers: made.map((layer) => ({ ...layer, isForeign: false })),
  };
}

/** As many layers at once as there are processors. @throws {Fault} as `encodeLayer` */
export async function encodeLayers(
  parts: Parts,
  chainIds: readonly ChainId[],
  options: Parameters<typeof encodeLayer>[2],
): Promise<readonly EncodedLayer[]> {
  const places = new Semaphore(availableParallelism());
  return await Promise.all(
    chainIds.map(async (chainId) => {
      using _place = await places.acquire(options.signal);
      return await encodeLayer(parts, chainId, options);
    }),
  );
}
