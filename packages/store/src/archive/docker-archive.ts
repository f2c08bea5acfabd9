import {
  type Digest,
  DocumentReader,
  formatPlatform,
  formatReference,
  isDigest,
  maxManifestBytes,
  type Platform,
  parseForeignJson,
  parseReference,
  platformsMatch,
  type Reference,
} from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import { storeFaults } from "../faults.ts";
import type { NewName } from "../images/image-index.ts";
import type { StoreLimits } from "../limits.ts";
import type { ArchiveFiles } from "./archive-files.ts";
import {
  type ArchivedImage,
  checkArchivedImage,
  checkDigest,
  checkImageCount,
  parseTag,
} from "./archived-image.ts";
import { type LayoutImage, wholeNameOf } from "./oci-layout.ts";

/**
 * The images of what `docker save` makes: `manifest.json` lists for each its configuration, tags and layers by their
 * file names in the archive. Names that say a digest must keep their word. `layout` is what the archive says of them as an OCI layout,
 * where it is one, too.
 *
 * @throws {Fault} `invalid-argument`, `data-loss`
 */
export async function readDockerArchive(
  files: ArchiveFiles,
  options: {
    readonly limits: StoreLimits;
    readonly layout: readonly LayoutImage[];
    /** Those for others are left out; when none is left, the archive is refused. */
    readonly platform?: Platform;
  },
): Promise<readonly ArchivedImage[]> {
  const { limits, layout, platform } = options;
  const what = "manifest.json";
  const list = parseForeignJson(await files.read(what, maxManifestBytes), {
    what,
    maxBytes: maxManifestBytes,
  });
  if (!Array.isArray(list)) throw storeFaults.ARCHIVE_INVALID("manifest.json is not a list");
  checkImageCount(list.length, limits);
  const images: ArchivedImage[] = [];
  for (const [index, item] of list.entries()) {
    const entry = new DocumentReader(item, `${what}[${index}]`, { foldsNames: true });
    const configBlob = namedFile(files, entry.requiredString("Config"));
    const described = layout.filter(({ manifest }) => manifest.config.digest === configBlob.digest);
    const manifestBlob = described.at(-1)?.blob;
    const names = (entry.strings("RepoTags") ?? []).map((tag): NewName => {
      const reference = parseRepoTag(tag);
      const own = described.findLast((one) => wholeNameOf(one) === formatReference(reference));
      return { reference, attested: own?.index?.digest };
    });
    const parts = {
      configBlob,
      ...(manifestBlob && { manifestBlob }),
      layerBlobs: (entry.strings("Layers") ?? []).map((name) => namedFile(files, name)),
      names,
      aboutBlobs: described.flatMap(({ index }) => index?.blobs ?? []),
    };
    const image = await checkArchivedImage(parts, limits);
    if (platform === undefined || platformsMatch(platform, image.config)) images.push(image);
  }
  if (platform !== undefined && images.length === 0)
    throw storeFaults.ARCHIVE_INVALID(`it has no image for ${formatPlatform(platform)}`);
  return images;
}

/** Docker wants names with their tags. @throws {Fault} `invalid-argument`, in its words */
function parseRepoTag(text: string): Reference {
  if (parseReference(text).tag === undefined) throw storeFaults.ARCHIVE_TAG_INVALID(text);
  return parseTag(text);
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
