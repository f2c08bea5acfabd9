import { lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault } from "@hawser/base";
import { openArchive, writeArchive } from "@hawser/store";

export interface CopyUpRequest {
  /** Unpacked layers of an image, topmost first. */
  readonly layers: readonly string[];
  /** A folder in the image. */
  readonly path: string;
  /** Where its content goes, if nothing is there. */
  readonly folder: string;
  /** A place on the same disk to gather the content in. */
  readonly filling: string;
  /** A container may have `folder` open. */
  readonly isMounted: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Fill an empty folder with what an image has at a path, with owner, mode and times. All or nothing, unless it is mounted: then
 * its users see it grow. Neither the image's links nor the folder's lead out: both ends are confined workers.
 */
export async function copyUp(request: CopyUpRequest): Promise<void> {
  const { layers, path, folder, filling, isMounted, signal } = request;
  if ((await readdir(folder)).length > 0 || !(await mayHave(layers, path))) return;
  const options = signal === undefined ? {} : { signal };
  const target = isMounted ? folder : filling;
  try {
    await using source = await openArchive({ kind: "layers", lower: layers }, `${path}/.`, options);
    await mkdir(target, { recursive: true, mode: 0o755 });
    await writeArchive({ kind: "folder", path: target }, source.archive, {
      path: "/",
      keepKinds: false,
      keepFolder: false,
      ...options,
    });
    if (target === filling) await rename(filling, folder);
  } catch (error) {
    await rm(filling, { recursive: true, force: true });
    // Nothing there, or no folder: the start tells what that means.
    if (!Fault.is(error, "not-found") && !Fault.is(error, "invalid-argument")) throw error;
  }
}

/** Cheaper than a worker. Layers never change, so each step of the way is what it was; a link may lead anywhere. */
async function mayHave(layers: readonly string[], path: string): Promise<boolean> {
  const parts = path.split("/").filter((part) => part !== "");
  for (const layer of layers) {
    let here = layer;
    let found = true;
    for (const part of parts) {
      here = join(here, part);
      try {
        const stats = await lstat(here);
        if (stats.isSymbolicLink()) return true;
        found = stats.isDirectory();
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw error;
        found = false;
      }
      if (!found) break;
    }
    if (found) return true;
  }
  return false;
}
