import { createHash } from "node:crypto";
import { type TarContent, type TarSource, writeTar } from "@hawser/base";
import {
  type Digest,
  digestHex,
  digestOf,
  formatFamiliar,
  formatImageConfig,
  formatReference,
  type ImageConfig,
  mediaTypes,
  parseDigest,
  parseReference,
  withDefaultTag,
} from "@hawser/oci";

export interface LayerSource {
  /** Gone through twice, so contents must be the same each time they are opened. */
  readonly entries: readonly TarSource[];
}

export interface ImageArchive {
  /** `busybox`, `busybox:1.36`. */
  readonly reference: string;
  /** Diff ids are computed. */
  readonly config: Omit<ImageConfig, "diffIds">;
  /** Lowest first. */
  readonly layers: readonly LayerSource[];
}

/**
 * An archive of one image from files: an OCI layout and what `docker load` of any age reads, in one. The same input
 * gives the same bytes.
 *
 *     oci-layout  index.json  manifest.json  blobs/sha256/<hex>: layers (plain tar), configuration, manifest
 */
export async function* writeImageArchive(image: ImageArchive): AsyncGenerator<Uint8Array, void, undefined> {
  const reference = withDefaultTag(parseReference(image.reference));
  const layers = await Promise.all(image.layers.map(describeLayer));
  const config = formatImageConfig({ ...image.config, diffIds: layers.map(({ digest }) => digest) });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
      layers: layers.map(({ digest, content }) => ({
        mediaType: mediaTypes.ociLayer,
        digest,
        size: content.sizeBytes,
      })),
    }),
  );
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      {
        mediaType: mediaTypes.ociManifest,
        digest: digestOf(manifest),
        size: manifest.length,
        annotations: {
          "io.containerd.image.name": formatReference(reference),
          "org.opencontainers.image.ref.name": reference.tag ?? "latest",
        },
      },
    ],
  };
  const dockerManifest = [
    {
      Config: blobName(digestOf(config)),
      RepoTags: [formatFamiliar(reference)],
      Layers: layers.map(({ digest }) => blobName(digest)),
    },
  ];
  const blobs = new Map<string, Uint8Array | TarContent>();
  for (const { digest, content } of layers) blobs.set(blobName(digest), content);
  for (const data of [config, manifest]) blobs.set(blobName(digestOf(data)), data);
  yield* writeTar([
    { path: "oci-layout", type: "file", content: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "blobs/", type: "directory" },
    { path: "blobs/sha256/", type: "directory" },
    ...[...blobs].map(([path, content]): TarSource => ({ path, type: "file", content })),
    { path: "index.json", type: "file", content: json(index) },
    { path: "manifest.json", type: "file", content: json(dockerManifest) },
  ]);
}

async function describeLayer({ entries }: LayerSource): Promise<{
  readonly digest: Digest;
  readonly content: TarContent;
}> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of writeTar(entries)) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  const digest = parseDigest(`sha256:${hash.digest("hex")}`);
  return { digest, content: { sizeBytes, open: () => writeTar(entries) } };
}

function blobName(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
