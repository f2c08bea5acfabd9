import { constants, lstatSync, statSync } from "node:fs";
import { errnoOf, tarPathBytes } from "@hawser/base";
import { storeFaults } from "../faults.ts";
import { fsPath } from "./fs-path.ts";
import { resolvePath, resolveUserPath } from "./resolve-path.ts";

/** What `docker cp` wants to know of a file. */
export interface FileStat {
  readonly name: string;
  readonly sizeBytes: number;
  /** As stat(2) has it. */
  readonly mode: number;
  readonly mtimeNs: bigint;
  /** Of a symbolic link: where it leads, absolute, all links followed; else empty. */
  readonly linkTarget: string;
}

/** A file of a confined thread's root, with its place there. @throws {Fault} `not-found`, `invalid-argument` */
export function statFile(text: string): { readonly stat: FileStat; readonly path: string } {
  const { asked, path, wantsFolder, name } = resolveUserPath(text);
  const found = lstat(path, text);
  if (wantsFolder && !found.isDirectory())
    throw storeFaults.FILES_REFUSED(`${shown(text)} is not a directory`);
  const linkTarget = found.isSymbolicLink() ? `/${shown(resolvePath(asked))}` : "";
  const stat = {
    name: shown(name),
    sizeBytes: Number(found.size),
    mode: Number(found.mode),
    mtimeNs: found.mtimeNs,
    linkTarget,
  };
  return { stat, path };
}

/** A folder of a confined thread's root, links followed: its place there. @throws {Fault} `not-found`, `invalid-argument` */
export function folderAt(text: string): string {
  const path = resolvePath(text);
  const found = statSync(fsPath(path), { throwIfNoEntry: false });
  if (found === undefined) throw storeFaults.FILE_NOT_FOUND(shown(text));
  if (!found.isDirectory()) throw storeFaults.NOT_A_DIRECTORY();
  return path;
}

function lstat(path: string, text: string) {
  try {
    return lstatSync(fsPath(path), { bigint: true });
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) {
      throw storeFaults.FILE_NOT_FOUND(shown(text)).because(error);
    }
    throw error;
  }
}

function shown(path: string): string {
  return tarPathBytes(path).toString();
}

/** Whether a mode as stat(2) has it is a folder's. */
export function isFolderMode(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFDIR;
}
