import { type TarSource, writeTar } from "@hawser/base";
import {
  digestAlgorithm,
  digestHex,
  formatFamiliar,
  formatReference,
  mediaTypes,
  parseReference,
} from "@hawser/oci";
import type { Blob, GivenBlob, GivenManifest } from "../cache/blob-place.ts";
import type { ImageBlobs } from "./image-blobs.ts";

type Annotations = Readonly<Record<string, string>>;

/**
 * Blobs and the manifest that names them as an archive. image-spec, "Image Layout".
 *
 *     oci-layout  blobs/sha256/<hex>  index.json  [manifest.json, for `docker load` of any age]
 *
 * @param options.tags annotations of what the index has, an entry for each
 */
export function writeOciLayout(
  manifest: GivenManifest,
  options: {
    readonly blobs: Iterable<GivenBlob>;
    readonly tags: readonly Annotations[];
    readonly docker?: readonly object[];
  },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { digest, mediaType, bytes } = manifest;
  const manifests = options.tags.map((annotations) => ({
    mediaType,
    digest,
    size: bytes.length,
    ...(Object.keys(annotations).length > 0 && { annotations }),
  }));
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  return writeTar([
    { path: "oci-layout", type: "file", content: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "blobs/", type: "directory" },
    { path: "blobs/sha256/", type: "directory" },
    ...[...options.blobs].map(
      (blob): TarSource => ({
        path: blobPath(blob),
        type: "file",
        content: { sizeBytes: blob.sizeBytes, open: () => blob.open() },
      }),
    ),
    { path: blobPath(manifest), type: "file", content: bytes },
    { path: "index.json", type: "file", content: json(index) },
    ...(options.docker === undefined
      ? []
      : [{ path: "manifest.json", type: "file", content: json(options.docker) } as const]),
  ]);
}

/** An image as an archive. @param options.isDocker also for programs that know Docker's form alone */
export function writeImageLayout(
  image: ImageBlobs,
  options: {
    readonly names: readonly string[];
    readonly descriptor: Annotations;
    readonly isDocker: boolean;
  },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { names, descriptor, isDocker } = options;
  const references = names.map((name) => parseReference(name));
  const tags = references.map((reference) => ({
    ...descriptor,
    "io.containerd.image.name": formatReference(reference),
    "org.opencontainers.image.ref.name": reference.tag ?? "latest",
  }));
  const docker = {
    Config: blobPath(image.config),
    RepoTags: references.length === 0 ? null : references.map(formatFamiliar),
    Layers: image.layers.map((digest) => blobPath({ digest })),
  };
  return writeOciLayout(image.manifest, {
    blobs: image.blobs,
    tags: tags.length === 0 ? [descriptor] : tags,
    ...(isDocker && { docker: [docker] }),
  });
}

function blobPath({ digest }: Pick<Blob, "digest">): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
