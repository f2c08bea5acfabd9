import { type TarContent, type TarSource, writeTar } from "@hawser/base";
import {
  type ChainId,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  digestOf,
  familiarName,
  formatFamiliar,
  formatReference,
  mediaTypes,
  parseManifest,
} from "@hawser/oci";
import type { ContentStore } from "../content/content-store.ts";
import { type KeptIndex, readKeptIndex } from "../images/kept-index.ts";
import type { SavedName } from "../images/select-images.ts";

/** An image to save. */
export interface ImageToSave {
  readonly id: Digest;
  readonly manifestDigest?: Digest;
  /** Archives that make its layers, lowest first. */
  readonly layerBlobs: readonly Digest[];
  readonly chainId?: ChainId;
  readonly names: readonly SavedName[];
}

interface DescribedImage extends ImageToSave {
  /** Its own manifest, where it came with one; else one that says what is there. */
  readonly manifest: Buffer;
  readonly layers: readonly Pick<Descriptor, "digest">[];
  readonly indexes: ReadonlyMap<Digest, KeptIndex>;
}

/**
 * Images as one archive: an OCI layout, and what `docker load` of any age reads. Blobs are taken as they are, so that an
 * image that is loaded again is the same to its manifest.
 *
 *     oci-layout  blobs/<algorithm>/<hex>: layers, configurations, manifests, each once  index.json  manifest.json  repositories
 *
 * @throws {Fault} `not-found`, `data-loss` for what the store has lost
 */
export async function* saveImages(
  images: readonly ImageToSave[],
  content: ContentStore,
): AsyncGenerator<Uint8Array, void, undefined> {
  const described: DescribedImage[] = [];
  for (const image of images) described.push(await describeImage(image, content));
  const blobs = new Map<Digest, TarContent | Buffer>();
  for (const { id, manifest, layers, indexes, names } of described) {
    for (const { digest } of layers) blobs.set(digest, await storedContent(digest, content));
    blobs.set(id, await content.read(id));
    const isAttested = names.length > 0 && names.every(({ attested }) => attested !== undefined);
    if (!isAttested) blobs.set(digestOf(manifest), manifest);
    for (const index of indexes.values()) {
      for (const { digest } of index.blobs) blobs.set(digest, await storedContent(digest, content));
      for (const { digest, bytes } of [...index.manifests, index]) blobs.set(digest, bytes);
    }
  }
  const folders = new Set([...blobs.keys()].map((digest) => `blobs/${digestAlgorithm(digest)}/`));
  yield* writeTar([
    { path: "oci-layout", type: "file", content: json({ imageLayoutVersion: "1.0.0" }) },
    ...["blobs/", ...folders].map((path): TarSource => ({ path, type: "directory" })),
    ...[...blobs].map(
      ([digest, data]): TarSource => ({ path: blobName(digest), type: "file", content: data }),
    ),
    { path: "index.json", type: "file", content: json(formatIndex(described)) },
    { path: "manifest.json", type: "file", content: json(described.map(formatDockerManifest)) },
    { path: "repositories", type: "file", content: json(formatRepositories(described)) },
  ]);
}

async function describeImage(image: ImageToSave, content: ContentStore): Promise<DescribedImage> {
  const indexes = new Map<Digest, KeptIndex>();
  for (const { attested } of image.names) {
    if (attested !== undefined) indexes.set(attested, await readKeptIndex(attested, { content }));
  }
  return { ...image, ...(await describeManifest(image, content)), indexes };
}

async function describeManifest(
  image: ImageToSave,
  content: ContentStore,
): Promise<Pick<DescribedImage, "manifest" | "layers">> {
  const { manifestDigest } = image;
  if (manifestDigest !== undefined) {
    const manifest = await content.read(manifestDigest);
    const parsed = parseManifest(manifest);
    const layers = parsed.kind === "manifest" ? parsed.layers : [];
    const there = await Promise.all(layers.map(({ digest }) => content.has(digest)));
    if (parsed.kind === "manifest" && there.every(Boolean)) return { manifest, layers };
  }
  const layers = await Promise.all(
    image.layerBlobs.map(async (digest) => {
      const { sizeBytes } = await content.get(digest);
      return { mediaType: await layerMediaType(digest, content), digest, size: sizeBytes };
    }),
  );
  const { sizeBytes } = await content.get(image.id);
  const manifest = json({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: image.id, size: sizeBytes },
    layers,
  });
  return { manifest, layers };
}

async function layerMediaType(digest: Digest, content: ContentStore): Promise<string> {
  await using file = await content.openFile(digest);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
  const magic = buffer.toString("latin1", 0, bytesRead);
  if (magic.startsWith("\x1f\x8b")) return mediaTypes.ociLayerGzip;
  return magic === "\x28\xb5\x2f\xfd" ? mediaTypes.ociLayerZstd : mediaTypes.ociLayer;
}

async function storedContent(digest: Digest, content: ContentStore): Promise<TarContent> {
  const { sizeBytes } = await content.get(digest);
  return { sizeBytes, open: () => content.openChecked(digest) };
}

function formatIndex(images: readonly DescribedImage[]) {
  const manifests = images.flatMap(({ manifest, names, indexes }) => {
    const { mediaType = mediaTypes.ociManifest } = JSON.parse(manifest.toString()) as { mediaType?: string };
    const descriptor = { mediaType, digest: digestOf(manifest), size: manifest.length };
    if (names.length === 0) return [descriptor];
    return names.map(({ reference, attested }) => ({
      ...describeIndex(attested === undefined ? undefined : indexes.get(attested), descriptor),
      ...(reference && {
        annotations: {
          "io.containerd.image.name": formatReference(reference),
          "org.opencontainers.image.ref.name": reference.tag ?? "latest",
        },
      }),
    }));
  });
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
}

function describeIndex(
  index: KeptIndex | undefined,
  manifest: { readonly mediaType: string; readonly digest: Digest; readonly size: number },
) {
  if (index === undefined) return manifest;
  return { mediaType: index.mediaType, digest: index.digest, size: index.bytes.length };
}

function formatDockerManifest({ id, layers, names }: DescribedImage) {
  const tags = names.flatMap(({ reference }) => (reference ? [formatFamiliar(reference)] : []));
  return {
    Config: blobName(id),
    RepoTags: tags.length === 0 ? null : tags,
    Layers: layers.map(({ digest }) => blobName(digest)),
  };
}

/** Name → tag → the topmost layer, for readers from before Docker 1.10. */
function formatRepositories(images: readonly DescribedImage[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { names, id, chainId } of images) {
    for (const { reference } of names) {
      if (reference === undefined) continue;
      const tags = repositories[familiarName(reference)] ?? {};
      tags[reference.tag ?? "latest"] = digestHex(chainId ?? id);
      repositories[familiarName(reference)] = tags;
    }
  }
  return repositories;
}

function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
