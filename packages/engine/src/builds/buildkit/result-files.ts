import { constants } from "node:fs";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { readTar } from "@hawser/base";
import type { ResultFile } from "@hawser/build/grpc";
import { type FileNote, type FilesRoot, openArchive, readFiles, type Snapshotter } from "@hawser/store";
import type { BuildState } from "../build-state.ts";
import { buildFaults } from "../faults.ts";
import { followed } from "../read-small-file.ts";

/** Where a result's files are. @throws {Fault} `invalid-argument` for several results as one */
export function rootOfState(state: BuildState, snapshots: Pick<Snapshotter, "lowerFolders">): FilesRoot {
  switch (state.kind) {
    case "files":
      return { kind: "layers", lower: snapshots.lowerFolders(state.chainId) };
    case "context":
      return state.context.root;
    case "several":
      throw buildFaults.RESULT_EMPTY();
  }
}

/** A part of a file, links followed. @throws {Fault} `not-found`, `invalid-argument` */
export async function readFilePart(
  root: FilesRoot,
  { path, offset, maxBytes }: { readonly path: string; readonly offset: number; readonly maxBytes: number },
  signal: AbortSignal,
): Promise<Uint8Array> {
  await using opened = await openArchive(root, await followed(root, `/${path}`, signal), { signal });
  for await (const { entry, data } of readTar(opened.archive)) {
    if (entry.type !== "file") break;
    const wanted = Math.min(maxBytes, Math.max(0, entry.sizeBytes - offset));
    const chunks: Uint8Array[] = [];
    let skipped = 0;
    let taken = 0;
    for await (const chunk of data) {
      const fresh = chunk.subarray(Math.min(chunk.length, offset - skipped));
      skipped += chunk.length - fresh.length;
      chunks.push(fresh.subarray(0, wanted - taken));
      taken += Math.min(fresh.length, wanted - taken);
      if (taken === wanted) break;
    }
    return Buffer.concat(chunks);
  }
  throw buildFaults.FILE_MISSING(path);
}

/** A file, links followed; `isInside`: what is in that folder. @throws {Fault} `not-found`, `invalid-argument` */
export async function lookAtFiles(
  root: FilesRoot,
  { path, isInside }: { readonly path: string; readonly isInside: boolean },
  signal: AbortSignal,
): Promise<readonly ResultFile[]> {
  const job = { kind: "look", path: Buffer.from(path).toString("latin1"), isInside } as const;
  const files: ResultFile[] = [];
  const lines = Readable.from(readFiles(root, job, { signal }), { objectMode: false });
  for await (const line of createInterface({ input: lines })) {
    if (files.length >= maxListed) throw buildFaults.FOLDER_TOO_LARGE(path, maxListed);
    files.push(fileOf(JSON.parse(line) as FileNote));
  }
  return files;
}

const maxListed = 100_000;

function fileOf({ name, mode, mtimeNs, linkPath, ...rest }: FileNote): ResultFile {
  const text = (bytes: string) => Buffer.from(bytes, "latin1").toString();
  const { uid, gid, sizeBytes } = rest;
  return {
    name: text(name),
    type: typeOf(mode),
    mode: mode & 0o7777,
    uid,
    gid,
    sizeBytes,
    mtimeNs: BigInt(mtimeNs),
    linkPath: text(linkPath),
  };
}

function typeOf(mode: number): ResultFile["type"] {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFDIR:
      return "directory";
    case constants.S_IFLNK:
      return "symlink";
    case constants.S_IFCHR:
      return "character-device";
    case constants.S_IFBLK:
      return "block-device";
    case constants.S_IFIFO:
      return "fifo";
    default:
      return "file";
  }
}
