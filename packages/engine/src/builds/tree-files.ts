import { posix } from "node:path";
import { Fault, readTar, rootedTarPath, type TarEntry, type TarSource, tarPathBytes } from "@hawser/base";
import {
  countFolders,
  type FileStat,
  type FilesPlace,
  isArchive,
  type NewFolder,
  openArchive,
  statPath,
} from "@hawser/store";
import type { FilesWork } from "./copy-files.ts";
import { buildFaults } from "./faults.ts";
import { compilePattern, hasWildcard } from "./path-pattern.ts";

/** A file or folder of a file system that is read. */
export interface Tree {
  readonly root: FilesPlace;
  /** Without leading slash; empty: all. */
  readonly path: string;
}

const folderBit = 0o040000;

export function isFolder({ mode }: FileStat): boolean {
  return (mode & 0o170000) === folderBit;
}

/** The paths of a stage or an image that a source means, without leading slash; none where a source with wildcards fits nothing. */
export async function selectFiles(
  root: FilesPlace,
  source: string,
  work: FilesWork,
  isDeep = false,
): Promise<readonly string[]> {
  const path = posix.normalize(`/${source}`).replace(/^\/|\/$/g, "");
  try {
    if (!hasWildcard(path)) {
      await statPath(root, `/${path}`, { signal: work.signal });
      return [path];
    }
    const fixed = path.split("/").slice(0, path.split("/").findIndex(hasWildcard));
    const folder = fixed.join("/");
    const pattern = compilePattern(path, { isDeep });
    const found = new Set<string>();
    await using opened = await openArchive(root, `/${folder}`, { signal: work.signal });
    for await (const { entry } of readTar(opened.archive)) {
      const rest = textPath(entry.path)
        .split("/")
        .slice(folder === "" ? 0 : 1);
      const name = [...fixed, ...rest].filter((part) => part !== "").join("/");
      if (name !== "" && pattern.test(name)) found.add(name);
    }
    return [...found].toSorted();
  } catch (error) {
    if (!Fault.is(error, "not-found") && !Fault.is(error, "invalid-argument")) throw error;
    if (hasWildcard(path)) return [];
  }
  throw buildFaults.SOURCE_MISSING(`/${path}`);
}

export function textPath(path: Buffer): string {
  return Buffer.from(rootedTarPath(path), "latin1").toString();
}

/** The deepest folder on the way to `path` that is there, and what is missing of the way. */
export async function findFolder(
  root: FilesPlace,
  path: string,
  { signal }: FilesWork,
): Promise<{ readonly folder: string; readonly missing: string }> {
  const parts = posix
    .resolve("/", path)
    .split("/")
    .filter((part) => part !== "");
  const count = await countFolders(root, parts, { signal });
  return { folder: `/${parts.slice(0, count).join("/")}`, missing: parts.slice(count).join("/") };
}

/**
 * The same for what is to be written at `path`, a folder where that ends with `/`. A link that leads to no folder is followed, as
 * one to a folder is.
 *
 * @returns `isFile`: something is there that is no folder, and its place may be taken
 * @throws {Fault} `invalid-argument` for something on the way that is no folder
 */
export async function findPlace(
  root: FilesPlace,
  path: string,
  work: FilesWork,
): Promise<{ readonly folder: string; readonly missing: string; readonly isFile: boolean }> {
  const { folder, missing } = await findFolder(root, path, work);
  if (missing === "") return { folder, missing, isFile: false };
  const [first = "", ...rest] = missing.split("/");
  const blocking = posix.join(folder, first);
  const there = await statIfThere({ root, path: blocking }, work);
  if (there === undefined) return { folder, missing, isFile: false };
  if (there.linkTarget !== "" && there.linkTarget !== blocking)
    return await findPlace(
      root,
      `${posix.join(there.linkTarget, ...rest)}${path.endsWith("/") ? "/" : ""}`,
      work,
    );
  if (rest.length > 0 || path.endsWith("/")) throw buildFaults.FOLDER_BLOCKED(blocking);
  return { folder, missing, isFile: true };
}

/** Of a link at the end itself; `undefined`: nothing is there. */
export async function statIfThere({ root, path }: Tree, { signal }: FilesWork) {
  try {
    return await statPath(root, `/${path.replace(/^\/+/, "")}`, { signal });
  } catch (error) {
    if (Fault.is(error, "not-found") || Fault.is(error, "invalid-argument")) return undefined;
    throw error;
  }
}

/** A name in the archive without the tree's own; one byte a character. */
export function restOf(path: Buffer, { path: tree }: { readonly path: string }): string {
  const parts = rootedTarPath(path).split("/");
  return (tree === "" ? parts : parts.slice(1)).filter((part) => part !== "").join("/");
}

export function linkOf(
  entry: TarEntry,
  { place, source }: { readonly place: string; readonly source: { readonly path: string } },
): Buffer {
  if (entry.type !== "hardlink") return entry.linkPath;
  return tarPathBytes(joinPath(latin1(place), restOf(entry.linkPath, source)));
}

export function latin1(text: string): string {
  return Buffer.from(text).toString("latin1");
}

export interface Dress {
  readonly owner: Owner | undefined;
  /** Of folders on the way; absent: 0o755. */
  readonly folderMode?: number | undefined;
  /** Absent: the epoch. */
  readonly timeNs?: bigint | undefined;
  readonly work: FilesWork;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The folders that a path names before its last `/`. */
export function parentFolders(
  place: string,
  { owner = { uid: 0, gid: 0 }, folderMode = 0o755, timeNs, work }: Dress,
): readonly NewFolder[] {
  const parts = place
    .split("/")
    .slice(0, -1)
    .filter((part) => part !== "");
  const mtimeNs = timeNs ?? BigInt(work.epochMs) * 1_000_000n;
  return parts.map((_, at) => {
    return { path: parts.slice(0, at + 1).join("/"), mode: folderMode, mtimeNs, ...owner };
  });
}

/** The same as entries of an archive. */
export function parentEntries(place: string, dress: Dress): readonly TarSource[] {
  return parentFolders(place, dress).map((folder) => ({ ...folder, type: "directory" }));
}

/** What `--chmod` makes of folders on the way: the mode as dockerd's umask leaves it. */
export function folderModeOf({ mode }: { readonly mode?: number }): number | undefined {
  return mode === undefined ? undefined : mode & 0o755;
}

export function joinPath(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("/");
}

/** A file that `ADD` unpacks: a tar archive, also a compressed one. What is only compressed is not unpacked. */
export async function looksPacked(source: Tree, work: FilesWork): Promise<boolean> {
  return await isArchive(fileBytes(source, work));
}

export async function* fileBytes(source: Tree, work: FilesWork): AsyncGenerator<Uint8Array, void, undefined> {
  await using opened = await openArchive(source.root, `/${source.path}`, { signal: work.signal });
  for await (const { entry, data } of readTar(opened.archive)) {
    if (entry.type === "file") yield* data;
    return;
  }
}
