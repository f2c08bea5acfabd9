import { lstatSync, readlinkSync } from "node:fs";
import { errnoOf } from "@hawser/base";
import { storeFaults } from "../faults.ts";
import type { FileNote, FilesJob } from "./files-job.ts";
import { fsPath } from "./fs-path.ts";
import { resolvePath } from "./resolve-path.ts";
import { namesIn } from "./tree-events.ts";

/**
 * Lines of JSON, `FileNote`, of a confined thread's root.
 *
 * @throws {Fault} `not-found`; `invalid-argument` for the inside of what is no folder
 */
export function* look({
  path: asked,
  isInside,
}: Extract<FilesJob, { readonly kind: "look" }>): Generator<Uint8Array, void, undefined> {
  const path = resolvePath(asked);
  if (!isInside) {
    yield line(noteOf(path, asked));
    return;
  }
  if (!lstat(path, asked).isDirectory()) throw storeFaults.FOLDER_WANTED(shown(asked));
  for (const name of namesIn(path)) yield line(noteOf(path === "" ? name : `${path}/${name}`, asked));
}

function noteOf(path: string, asked: string): FileNote {
  const stats = lstat(path, asked);
  return {
    name: path.slice(path.lastIndexOf("/") + 1),
    mode: Number(stats.mode),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    sizeBytes: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    linkPath: stats.isSymbolicLink() ? readlinkSync(fsPath(path), "latin1") : "",
  };
}

function lstat(path: string, asked: string) {
  try {
    return lstatSync(fsPath(path), { bigint: true });
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) {
      throw storeFaults.FILE_NOT_FOUND(shown(asked)).because(error);
    }
    throw error;
  }
}

function line(note: FileNote): Uint8Array {
  return Buffer.from(`${JSON.stringify(note)}\n`);
}

function shown(path: string): string {
  return Buffer.from(path, "latin1").toString();
}
