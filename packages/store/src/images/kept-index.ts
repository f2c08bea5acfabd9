import { type Digest, isManifestMediaType, mediaTypes, parseManifest } from "@hawser/oci";
import type { BlobInfo, ContentStore } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import { isForeignLayer } from "./distribute-image.ts";

/** A manifest or an index as it is given to others. */
export interface KeptManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly config: Digest;
  /** Lowest first. */
  readonly layers: readonly Digest[];
}

export interface KeptBlob extends BlobInfo {
  /** `isForeignLayer` */
  readonly isForeign: boolean;
}

/** An index of an image and of what is said of it, and all that it names. */
export interface KeptIndex extends Pick<KeptManifest, "digest" | "mediaType" | "bytes"> {
  readonly manifests: readonly KeptManifest[];
  /** Configurations, layers, statements, each once. */
  readonly blobs: readonly KeptBlob[];
}

/** @throws {Fault} `not-found`, `data-loss` for what the store has lost */
export async function readKeptIndex(
  digest: Digest,
  { content }: { readonly content: ContentStore },
): Promise<KeptIndex> {
  const bytes = await content.read(digest);
  const index = parseManifest(bytes);
  if (index.kind !== "index") throw storeFaults.BLOB_DAMAGED(digest);
  const manifests: KeptManifest[] = [];
  const blobs = new Map<Digest, KeptBlob>();
  for (const { digest: of, mediaType } of index.manifests) {
    const own = await content.read(of);
    const manifest = parseManifest(own);
    if (manifest.kind !== "manifest" || !isManifestMediaType(mediaType)) throw storeFaults.BLOB_DAMAGED(of);
    const layers = manifest.layers.map((layer) => layer.digest);
    manifests.push({ digest: of, mediaType, bytes: own, layers, config: manifest.config.digest });
    for (const { digest: its, sizeBytes, mediaType: type } of [manifest.config, ...manifest.layers]) {
      blobs.set(its, { digest: its, sizeBytes, isForeign: isForeignLayer(type) });
    }
  }
  return {
    digest,
    mediaType: index.mediaType ?? mediaTypes.ociIndex,
    bytes,
    manifests,
    blobs: [...blobs.values()],
  };
}
