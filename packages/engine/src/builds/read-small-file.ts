import { readTar } from "@hawser/base";
import { type FilesRoot, openArchive, statPath } from "@hawser/store";
import { buildFaults } from "./faults.ts";

/** A file's bytes, links followed inside of the root. @throws {Fault} `invalid-argument` when there is none, or it is larger */
export async function readSmallFile(
  root: FilesRoot,
  path: string,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  await using opened = await openArchive(root, await followed(root, path, signal), { signal });
  for await (const { entry, data } of readTar(opened.archive)) {
    if (entry.type !== "file" || entry.sizeBytes > maxBytes) break;
    return Buffer.concat(await Array.fromAsync(data));
  }
  throw buildFaults.FILE_MISSING(path);
}

/** The place that a path leads to, should there be a link at its end. */
export async function followed(root: FilesRoot, path: string, signal: AbortSignal): Promise<string> {
  const { linkTarget } = await statPath(root, path, { signal });
  return linkTarget === "" ? path : linkTarget;
}
