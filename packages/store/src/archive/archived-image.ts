import {
  type Digest,
  type ImageConfig,
  maxConfigBytes,
  parseImageConfig,
  parseReference,
  type Reference,
  withDefaultTag,
} from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import { readStaged } from "../content/read-staged.ts";
import { storeFaults } from "../faults.ts";
import type { NewName } from "../images/image-index.ts";
import type { StoreLimits } from "../limits.ts";

/** An image of an archive: everything about it is checked but the content of its layers. */
export interface ArchivedImage {
  readonly config: ImageConfig;
  readonly configBlob: StagedBlob;
  readonly manifestBlob?: StagedBlob;
  /** Lowest first, as many as the configuration has diff ids. */
  readonly layerBlobs: readonly StagedBlob[];
  /** With tags. */
  readonly names: readonly NewName[];
  /** The indexes that names have, and what is said in them. */
  readonly aboutBlobs?: readonly StagedBlob[];
  /** Docker says nothing of those that are as before 1.10, but which names change hands. */
  readonly isV1?: boolean;
}

/** @throws {Fault} `invalid-argument` when layers and configuration do not fit each other, or it is for another system */
export async function checkArchivedImage(
  parts: Omit<ArchivedImage, "config">,
  limits: StoreLimits,
): Promise<ArchivedImage> {
  const bytes = await readStaged(parts.configBlob, {
    what: "the image configuration",
    maxBytes: maxConfigBytes,
  });
  const config = parseImageConfig(bytes);
  // Docker's words.
  if (config.os.toLowerCase() !== "linux")
    throw storeFaults.ARCHIVE_INVALID(`cannot load ${config.os} image on linux`);
  checkLayerCount({ wanted: config.diffIds.length, is: parts.layerBlobs.length, limits });
  return { ...parts, config };
}

/** @throws {Fault} `invalid-argument` when an archive has too many */
export function checkImageCount(count: number, { maxImages }: StoreLimits): void {
  if (count > maxImages)
    throw storeFaults.ARCHIVE_INVALID(`it has ${count} images, at most ${maxImages} are allowed`);
}

/** @throws {Fault} `invalid-argument` when a manifest has another number of layers than its configuration, or too many */
export function checkLayerCount(options: {
  readonly wanted: number;
  readonly is: number;
  readonly limits: StoreLimits;
}): void {
  const { wanted, is, limits } = options;
  // Docker's words.
  if (is !== wanted) {
    throw storeFaults.ARCHIVE_INVALID(
      `invalid manifest, layers length mismatch: expected ${wanted}, got ${is}`,
    );
  }
  if (is > limits.maxLayers) {
    throw storeFaults.ARCHIVE_INVALID(`the image has ${is} layers, at most ${limits.maxLayers} are allowed`);
  }
}

/** @throws {Fault} `data-loss` when what a name says is not what the content is */
export function checkDigest(blob: StagedBlob, wanted: Digest): void {
  if (blob.digest !== wanted) throw storeFaults.ARCHIVE_DIGEST_MISMATCH(wanted, blob.digest);
}

/** A name that an archive gives. @throws {Fault} `invalid-argument` */
export function parseTag(text: string): Reference {
  const { domain, path, tag = "latest" } = withDefaultTag(parseReference(text));
  return { domain, path, tag };
}
