import { Fault } from "@hawser/base";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  findAttestations,
  type Index,
  isConfigMediaType,
  isIndexMediaType,
  isManifestMediaType,
  type Manifest,
  maxManifestBytes,
  type Platform,
  parseManifest,
  platformsMatch,
  type Reference,
} from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import { stageAttestations } from "../images/stage-attestations.ts";
import type { StoreLimits } from "../limits.ts";
import type { ArchiveFiles } from "./archive-files.ts";
import {
  type ArchivedImage,
  checkArchivedImage,
  checkDigest,
  checkImageCount,
  parseTag,
} from "./archived-image.ts";

/** An image that a layout lists. */
export interface LayoutImage {
  readonly manifest: Manifest;
  readonly blob: StagedBlob;
  readonly annotations: Readonly<Record<string, string>>;
  readonly index?: LayoutIndex | undefined;
}

/** An index that lists an image, what is said of it, and nothing else; all of it is in the archive. */
interface LayoutIndex {
  readonly digest: Digest;
  /** It, and all that it lists. */
  readonly blobs: readonly StagedBlob[];
}

interface LayoutOptions {
  readonly limits: StoreLimits;
  readonly platform: Platform;
}

/** Whether the archive is an OCI layout. image-spec, "Image Layout". */
export function isOciLayout(files: ArchiveFiles): boolean {
  return files.find("oci-layout") !== undefined && files.find("index.json") !== undefined;
}

/**
 * The images for `platform` of an OCI layout. What is no image (artifacts) is left out, and what is said of an image that comes alone
 * from an index of several.
 *
 * @throws {Fault} `invalid-argument`, `data-loss`; also when none is for the platform
 */
export async function readOciLayout(
  files: ArchiveFiles,
  options: LayoutOptions,
): Promise<readonly ArchivedImage[]> {
  const { limits, platform } = options;
  const found = await findImages(files, options);
  if (found.length === 0) {
    throw storeFaults.ARCHIVE_INVALID(`it has no image for ${platform.os}/${platform.architecture}`);
  }
  const images: ArchivedImage[] = [];
  for (const image of found) {
    const { manifest, blob, index } = image;
    const parts = {
      configBlob: describedBlob(files, manifest.config),
      manifestBlob: blob,
      layerBlobs: manifest.layers.map((layer) => describedBlob(files, layer)),
      names: nameOf(image).map((reference) => ({ reference, attested: index?.digest })),
      aboutBlobs: index?.blobs ?? [],
    };
    images.push(await checkArchivedImage(parts, limits));
  }
  return images;
}

/** What a layout lists for `platform`. @throws {Fault} `invalid-argument`, `data-loss` */
export async function findImages(
  files: ArchiveFiles,
  { limits, platform }: LayoutOptions,
): Promise<readonly LayoutImage[]> {
  const top = parseManifest(await files.read("index.json", maxManifestBytes));
  if (top.kind !== "index") throw storeFaults.ARCHIVE_INVALID("index.json is not an index");
  const found: LayoutImage[] = [];
  for (const descriptor of top.manifests) {
    let chosen: Descriptor | undefined = descriptor;
    let attestations: readonly Descriptor[] | undefined;
    if (isIndexMediaType(descriptor.mediaType)) {
      const index = await readDescribed(files, descriptor);
      if (index.kind !== "index") throw storeFaults.ARCHIVE_INVALID(`${descriptor.digest} is not an index`);
      chosen = chooseManifest(index, platform);
      attestations = chosen && findAttestations(index, chosen.digest);
    } else if (descriptor.platform !== undefined && !platformsMatch(platform, descriptor.platform)) {
      chosen = undefined;
    }
    if (chosen === undefined || !isManifestMediaType(chosen.mediaType)) continue;
    const manifest = await readDescribed(files, chosen);
    if (manifest.kind !== "manifest") throw storeFaults.ARCHIVE_INVALID(`${chosen.digest} is not a manifest`);
    if (!isConfigMediaType(manifest.config.mediaType)) continue;
    checkImageCount(found.length + 1, limits);
    const index =
      attestations &&
      (await readIndex(files, {
        own: [descriptor, chosen, manifest.config, ...manifest.layers],
        attestations,
        limits,
      }));
    const { annotations } = descriptor;
    found.push({ manifest, blob: describedBlob(files, chosen), annotations, index });
  }
  return found;
}

/** `undefined`: something is not in the archive. Docker's are without what is said. */
async function readIndex(
  files: ArchiveFiles,
  {
    own,
    attestations,
    limits,
  }: {
    /** The index first. */
    readonly own: readonly [Descriptor, ...Descriptor[]];
    readonly attestations: readonly Descriptor[];
    readonly limits: StoreLimits;
  },
): Promise<LayoutIndex | undefined> {
  const stage = async (of: Descriptor) => {
    if (files.find(blobName(of.digest)) === undefined) throw storeFaults.BLOB_NOT_FOUND(of.digest);
    return describedBlob(files, of);
  };
  try {
    const ownBlobs = await Promise.all(own.map(stage));
    const said = await stageAttestations(attestations, { limits, stage });
    return { digest: own[0].digest, blobs: [...ownBlobs, ...said] };
  } catch (error) {
    if (Fault.is(error, "not-found")) return undefined;
    throw error;
  }
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

/** containerd's annotation. */
export function wholeNameOf({ annotations }: LayoutImage): string | undefined {
  return annotations["io.containerd.image.name"];
}

/** The standard's may be just a tag, which names nothing here. */
function nameOf(image: LayoutImage): readonly Reference[] {
  const whole = wholeNameOf(image);
  if (whole !== undefined) return [parseTag(whole)];
  const name = image.annotations["org.opencontainers.image.ref.name"];
  return name !== undefined && /[/:]/.test(name) ? [parseTag(name)] : [];
}
