import {
  chainIdsOf,
  type Digest,
  digestOf,
  formatImageConfig,
  type ImageConfig,
  mediaTypes,
} from "@hawser/oci";
import { type ContentStore, type ImageStore, layerMediaType } from "@hawser/store";
import type { GivenBlob, GivenManifest } from "../cache/blob-place.ts";
import type { ImageForm } from "./read-exporter.ts";

/** An image as others get it: its blobs, each once, and the manifest that names them. */
export interface ImageBlobs {
  readonly manifest: GivenManifest;
  readonly config: GivenBlob;
  /** Digests of the layers, lowest first. */
  readonly layers: readonly Digest[];
  /** The configuration and the layers. */
  readonly blobs: readonly GivenBlob[];
}

/**
 * Write an image down, whose layers are here. Nothing of it goes while `use` runs.
 *
 * @throws {Fault} `not-found`, `resource-exhausted`; what `use` throws
 */
export async function withImageBlobs<T>(
  config: ImageConfig,
  form: ImageForm,
  options: {
    readonly images: ImageStore;
    readonly content: ContentStore;
    readonly signal: AbortSignal;
    readonly use: (image: ImageBlobs) => Promise<T>;
  },
): Promise<T> {
  const { images, content, signal, use } = options;
  const { encoding, isOci, annotations } = form;
  return await images.layers.distribute(chainIdsOf(config.diffIds), encoding, {
    signal,
    async use(encoded) {
      const configBytes = formatImageConfig(config);
      const configBlob = blobOf(configBytes);
      const bytes = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: isOci ? mediaTypes.ociManifest : mediaTypes.dockerManifest,
          config: {
            mediaType: isOci ? mediaTypes.ociConfig : mediaTypes.dockerConfig,
            // In the order that the store has: an image is the same one on all ways.
            size: configBlob.sizeBytes,
            digest: configBlob.digest,
          },
          layers: encoded.map(({ digest, sizeBytes, compression }) => ({
            mediaType: layerMediaType(compression, { isDocker: !isOci }),
            size: sizeBytes,
            digest,
          })),
          ...(Object.keys(annotations.manifest).length > 0 && { annotations: annotations.manifest }),
        }),
      );
      const layers = new Map(
        encoded.map(({ digest, sizeBytes }): [Digest, GivenBlob] => [
          digest,
          { digest, sizeBytes, open: (start, end) => openStored(content, digest, { start, end, signal }) },
        ]),
      );
      return await use({
        manifest: {
          digest: digestOf(bytes),
          mediaType: isOci ? mediaTypes.ociManifest : mediaTypes.dockerManifest,
          bytes,
        },
        config: configBlob,
        layers: encoded.map(({ digest }) => digest),
        blobs: [configBlob, ...layers.values()],
      });
    },
  });
}

function openStored(
  content: ContentStore,
  digest: Digest,
  { start, end, signal }: { start: number | undefined; end: number | undefined; signal: AbortSignal },
): AsyncIterable<Uint8Array> {
  if (start === undefined && end === undefined) return content.openChecked(digest);
  return content.open(digest, {
    ...(start !== undefined && { start }),
    ...(end !== undefined && { end }),
    signal,
  });
}

/** Bytes that are at hand, as a blob. */
export function blobOf(bytes: Buffer): GivenBlob {
  return {
    digest: digestOf(bytes),
    sizeBytes: bytes.length,
    async *open(start = 0, end = bytes.length) {
      yield bytes.subarray(start, end);
    },
  };
}
