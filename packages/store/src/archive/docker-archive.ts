import {
  type Digest,
  DocumentReader,
  formatPlatform,
  isDigest,
  maxManifestBytes,
  type Platform,
  parseForeignJson,
  parseReference,
  platformsMatch,
  type Reference,
  withDefaultTag,
} from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import type { StoreLimits } from "../limits.ts";
import type { ArchiveFiles } from "./archive-files.ts";
import { type ArchivedImage, checkArchivedImage, checkDigest, checkImageCount } from "./archived-image.ts";

/**
 * The images of what `docker save` makes: `manifest.json` lists for each its configuration, tags and layers by their
 * file names in the archive. Names that say a digest must keep their word. `manifests` are the archive's OCI manifests
 * by the digest of their configuration, where it has them, too.
 *
 * @throws {Fault} `invalid-argument`, `data-loss`
 */
export async function readDockerArchive(
  files: ArchiveFiles,
  options: {
    readonly limits: StoreLimits;
    readonly manifests: ReadonlyMap<Digest, StagedBlob>;
    /** Those for others are left out; when none is left, the archive is refused. */
    readonly platform?: Platform;
  },
): Promise<readonly ArchivedImage[]> {
  const { limits, manifests, platform } = options;
  const what = "manifest.json";
  const list = parseForeignJson(await files.read(what, maxManifestBytes), {
    what,
    maxBytes: maxManifestBytes,
  });
  if (!Array.isArray(list)) throw storeFaults.ARCHIVE_INVALID("manifest.json is not a list");
  checkImageCount(list.length, limits);
  const images: ArchivedImage[] = [];
  for (const [index, item] of list.entries()) {
    const entry = new DocumentReader(item, `${what}[${index}]`);
    const configBlob = namedFile(files, entry.requiredString("Config"));
    const manifestBlob = manifests.get(configBlob.digest);
    const parts = {
      configBlob,
      ...(manifestBlob && { manifestBlob }),
      layerBlobs: (entry.strings("Layers") ?? []).map((name) => namedFile(files, name)),
      references: (entry.strings("RepoTags") ?? []).map(parseTag),
    };
    const image = await checkArchivedImage(parts, limits);
    if (platform === undefined || platformsMatch(platform, image.config)) images.push(image);
  }
  if (platform !== undefined && images.length === 0)
    throw storeFaults.ARCHIVE_INVALID(`it has no image for ${formatPlatform(platform)}`);
  return images;
}

function namedFile(files: ArchiveFiles, name: string): StagedBlob {
  const blob = files.get(name);
  const digest = digestOfName(name);
  if (digest !== undefined) checkDigest(blob, digest);
  return blob;
}

/** `blobs/sha256/<hex>`, or `<hex>.json` of older archives. Not `<hex>/layer.tar`, which is named by another id. */
function digestOfName(name: string): Digest | undefined {
  const hex = /^(?:blobs\/sha256\/)([0-9a-f]{64})$|^([0-9a-f]{64})\.json$/.exec(name);
  const digest = `sha256:${hex?.[1] ?? hex?.[2] ?? ""}`;
  return isDigest(digest) ? digest : undefined;
}

export function parseTag(text: string): Reference {
  const { domain, path, tag = "latest" } = withDefaultTag(parseReference(text));
  return { domain, path, tag };
}
