import { lstatSync, type Stats, statSync } from "node:fs";
import { errnoOf, type TarEntry, tarPathBytes } from "@hawser/base";
import { setXattr } from "@hawser/linux";
import { storeFaults } from "../faults.ts";
import { fsPath } from "../files/fs-path.ts";

/**
 * Refuse to put a file in the place of a folder, or the other way round.
 *
 * @throws {Fault} `invalid-argument`, in Docker's words
 */
export function checkKind(
  path: string,
  { entry, base }: { readonly entry: TarEntry; readonly base: string },
): void {
  const existing = lstat(path);
  if (existing === undefined || existing.isDirectory() === (entry.type === "directory")) return;
  throw existing.isDirectory()
    ? storeFaults.KIND_KEPT("directory", shown(`/${path}`), "non-directory", shown(`/${base}`))
    : storeFaults.KIND_KEPT("non-directory", shown(`/${path}`), "directory", shown(`/${base}`));
}

/** What is at a path of a confined thread's root, as `rootedTarPath` has it; `undefined`: nothing. */
export function lstat(path: string): Stats | undefined {
  return lstatSync(fsPath(path), { throwIfNoEntry: false });
}

/** Whether there is a folder; where the way leads through something else there is none. */
export function isFolder(path: string): boolean {
  try {
    return lstat(path)?.isDirectory() === true;
  } catch (error) {
    if (["ENOTDIR", "ELOOP"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

/** Whether a link ends at a folder. */
export function leadsToFolder(path: string): boolean {
  return statSync(fsPath(path), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Whether overlay takes it for a hidden name. */
export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

/** Have overlay hide what is below this folder. */
export function setOpaque(path: string): void {
  setXattr(fsPath(path), "trusted.overlay.opaque", Buffer.from("y"));
}

/** A path as people read it. */
export function shown(path: string): string {
  return tarPathBytes(path).toString();
}
