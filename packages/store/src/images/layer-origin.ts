import type { FilesOptions } from "../files/files-run.ts";
import { readWritten, settleWritten, type WrittenFolder } from "../files/run-files-job.ts";
import type { UnpackRequest } from "../layers/layer-store.ts";

/** What a new layer is made of: an archive, plain or compressed; or a folder, which is taken away from where it is. */
export type LayerOrigin = AsyncIterable<Uint8Array> | WrittenFolder;

/** Its archive. */
export function archiveOf(source: LayerOrigin, options: FilesOptions): AsyncIterable<Uint8Array> {
  return isArchive(source) ? source : readWritten(source, options);
}

/** The folder, made what the archive says, which has been read; nothing for an archive. */
export async function folderOf(
  source: LayerOrigin,
  options: FilesOptions,
): Promise<Pick<UnpackRequest, "made">> {
  if (isArchive(source)) return {};
  return { made: { folder: source.path, sizeBytes: await settleWritten(source, options) } };
}

function isArchive(source: LayerOrigin): source is AsyncIterable<Uint8Array> {
  return Symbol.asyncIterator in source;
}
