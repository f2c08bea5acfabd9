import type { Platform } from "@hawser/oci";
import { storeFaults } from "../faults.ts";
import type { StoreLimits } from "../limits.ts";
import type { ArchiveFiles } from "./archive-files.ts";
import type { ArchivedImage } from "./archived-image.ts";
import { readDockerArchive } from "./docker-archive.ts";
import { findImages, isOciLayout, readOciLayout } from "./oci-layout.ts";
import { isV1Archive, readV1Archive } from "./v1-archive.ts";

/**
 * The images of an archive of any of the kinds that there are.
 *
 * @param options.asked the one that is wanted, where Docker takes any; default: what `platform` runs, of several
 * @throws {Fault} `invalid-argument`, `data-loss`
 */
export async function readArchive(
  files: ArchiveFiles,
  options: {
    readonly limits: StoreLimits;
    readonly platform: Platform;
    readonly asked?: Platform;
    readonly signal?: AbortSignal;
  },
): Promise<readonly ArchivedImage[]> {
  const { limits, asked, signal } = options;
  const platform = asked ?? options.platform;
  const isLayout = isOciLayout(files);
  if (files.find("manifest.json") !== undefined) {
    const layout = isLayout ? await findImages(files, { limits, platform }) : [];
    return await readDockerArchive(files, { limits, layout, ...(asked && { platform: asked }) });
  }
  if (isLayout) return await readOciLayout(files, { limits, platform });
  if (isV1Archive(files)) return await readV1Archive(files, { limits, ...(signal && { signal }) });
  throw storeFaults.ARCHIVE_INVALID(
    "it has neither manifest.json nor index.json nor repositories, so it is not an image archive",
  );
}
