import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  type Index,
  isConfigMediaType,
  isIndexMediaType,
  isManifestMediaType,
  type Manifest,
  maxManifestBytes,
  type Platform,
  parseManifest,
  platformsMatch,
} from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import type { StoreLimits } from "../limits.ts";
import type { ArchiveFiles } from "./archive-files.ts";
import { type ArchivedImage, checkArchivedImage, checkDigest, checkImageCount } from "./archived-image.ts";
import { parseTag } from "./docker-archive.ts";

interface FoundManifest {
  readonly manifest: Manifest;
  readonly blob: StagedBlob;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Whether the archive is an OCI layout. image-spec, "Image Layout". */
export function isOciLayout(files: ArchiveFiles): boolean {
  return files.find("oci-layout") !== undefined && files.find("index.json") !== undefined;
}

/**
 * The images for `platform` of an OCI layout. What is no image (attestations, artifacts) is left out.
 *
 * @throws {Fault} `invalid-argument`, `data-loss`; also when none is for the platform
 */
export async function readOciLayout(
  files: ArchiveFiles,
  options: { readonly limits: StoreLimits; readonly platform: Platform },
): Promise<readonly ArchivedImage[]> {
  const { limits, platform } = options;
  const found = await findManifests(files, platform);
  if (found.length === 0) {
    throw storeFaults.ARCHIVE_INVALID(`it has no image for ${platform.os}/${platform.architecture}`);
  }
  checkImageCount(found.length, limits);
  const images: ArchivedImage[] = [];
  for (const { manifest, blob, annotations } of found) {
    const parts = {
      configBlob: describedBlob(files, manifest.config),
      manifestBlob: blob,
      layerBlobs: manifest.layers.map((layer) => describedBlob(files, layer)),
      references: nameOf(annotations),
    };
    images.push(await checkArchivedImage(parts, limits));
  }
  return images;
}

/** The manifests of an OCI layout by the digests of their configurations. */
export async function readManifests(
  files: ArchiveFiles,
  platform: Platform,
): Promise<ReadonlyMap<Digest, StagedBlob>> {
  const found = await findManifests(files, platform);
  return new Map(found.map(({ manifest, blob }) => [manifest.config.digest, blob]));
}

async function findManifests(files: ArchiveFiles, platform: Platform): Promise<readonly FoundManifest[]> {
  const top = parseManifest(await files.read("index.json", maxManifestBytes));
  if (top.kind !== "index") throw storeFaults.ARCHIVE_INVALID("index.json is not an index");
  const found: FoundManifest[] = [];
  for (const descriptor of top.manifests) {
    let chosen: Descriptor | undefined = descriptor;
    if (isIndexMediaType(descriptor.mediaType)) {
      const index = await readDescribed(files, descriptor);
      if (index.kind !== "index") throw storeFaults.ARCHIVE_INVALID(`${descriptor.digest} is not an index`);
      chosen = chooseManifest(index, platform);
    } else if (descriptor.platform !== undefined && !platformsMatch(platform, descriptor.platform)) {
      chosen = undefined;
    }
    if (chosen === undefined || !isManifestMediaType(chosen.mediaType)) continue;
    const manifest = await readDescribed(files, chosen);
    if (manifest.kind !== "manifest") throw storeFaults.ARCHIVE_INVALID(`${chosen.digest} is not a manifest`);
    if (!isConfigMediaType(manifest.config.mediaType)) continue;
    found.push({ manifest, blob: describedBlob(files, chosen), annotations: descriptor.annotations });
  }
  return found;
}

function chooseManifest(index: Index, platform: Platform): Descriptor | undefined {
  return index.manifests.find(
    (entry) => entry.platform === undefined || platformsMatch(platform, entry.platform),
  );
}

async function readDescribed(files: ArchiveFiles, descriptor: Descriptor): Promise<Manifest | Index> {
  describedBlob(files, descriptor);
  return parseManifest(await files.read(blobName(descriptor.digest), maxManifestBytes));
}

function describedBlob(files: ArchiveFiles, descriptor: Descriptor): StagedBlob {
  const blob = files.get(blobName(descriptor.digest));
  checkDigest(blob, descriptor.digest);
  if (blob.sizeBytes !== descriptor.sizeBytes) {
    throw storeFaults.BLOB_SIZE_MISMATCH(descriptor.sizeBytes, blob.sizeBytes);
  }
  return blob;
}

function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** containerd's annotation is a whole name; the standard's may be just a tag, which names nothing here. */
function nameOf(annotations: Readonly<Record<string, string>>) {
  const whole = annotations["io.containerd.image.name"];
  if (whole !== undefined) return [parseTag(whole)];
  const name = annotations["org.opencontainers.image.ref.name"];
  return name !== undefined && /[/:]/.test(name) ? [parseTag(name)] : [];
}
