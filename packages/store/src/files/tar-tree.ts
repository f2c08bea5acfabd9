import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from "node:fs";
import { errnoOf, formatTarHeader, type TarSource } from "@hawser/base";
import { type FolderEntry, getXattr, listXattr, statFolder } from "@hawser/linux";
import { insideOf, type UserMap } from "@hawser/oci";
import { fsPath } from "./fs-path.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const blockBytes = 512;
const pieceBytes = 256 * 1024;

export interface TarTreeOptions {
  /** Where to begin, as `rootedTarPath` has it. */
  readonly path: string;
  /** What the beginning is called in the archive; empty: it has no entry, its content is at the top. */
  readonly name: string;
  /** The folder is overlay's writable one: what it hides becomes whiteouts, image-spec, layer, "Representing Changes". */
  readonly asLayer?: boolean;
  /** Owners are told as they are inside of this map; default: as they are. */
  readonly userMap?: UserMap;
  /** No entry is younger; default: entries are as old as their files. */
  readonly latestNs?: bigint;
  /** A folder alone, without what is in it. */
  readonly isShallow?: boolean;
  /** Paths to leave out, with what is in them. */
  readonly leaveOut?: (path: string, stats: BigIntStats) => boolean;
}

/**
 * A file or folder of a confined thread's root as a tar archive, in order of names, without the two blocks at the end. Links
 * are not followed, sockets are left out, and what vanishes on the way is. A file that shrinks while it is read is filled up.
 */
export function* tarTree(options: TarTreeOptions): Generator<Uint8Array, void, undefined> {
  const linked = new Map<string, string>();
  yield* tarEntry(options.path, options.name);

  function* tarEntry(path: string, name: string): Generator<Uint8Array, void, undefined> {
    const stats = unlessGone(() => lstatSync(fsPath(path), { bigint: true }));
    if (stats === undefined || options.leaveOut?.(path, stats)) return;
    if (options.asLayer && stats.isCharacterDevice() && stats.rdev === 0n) {
      yield formatTarHeader({ path: bytes(whiteoutOf(name)), type: "file", mode: 0 });
      return;
    }
    const source = unlessGone(() => sourceOf(path, name, { ...options, stats }));
    if (source === undefined) return;
    if (source.type === "file") {
      const key = `${stats.dev}:${stats.ino}`;
      const first = stats.nlink > 1n ? linked.get(key) : undefined;
      if (first !== undefined) {
        const { content: _content, ...rest } = source;
        yield formatTarHeader({ ...rest, type: "hardlink", linkPath: bytes(first) });
        return;
      }
      if (stats.nlink > 1n) linked.set(key, name);
      yield* tarFile(path, source);
      return;
    }
    if (name !== "") yield formatTarHeader(source);
    if (source.type !== "directory" || options.isShallow === true) return;
    const prefix = name === "" || name.endsWith("/") ? name : `${name}/`;
    if (options.asLayer && name !== "" && isOpaque(path)) {
      yield formatTarHeader({ path: bytes(`${prefix}.wh..wh..opq`), type: "file", mode: 0 });
    }
    for (const child of namesIn(path)) {
      yield* tarEntry(path === "" ? child : `${path}/${child}`, `${prefix}${child}`);
    }
  }
}

/** The end of an archive. */
export const tarEnd = Buffer.alloc(2 * blockBytes);

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EINVAL"].includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** Names in a folder, sorted as bytes; none when it is gone. */
export function namesIn(path: string): readonly string[] {
  const names = unlessGone(() => readdirSync(fsPath(path), { encoding: "buffer" })) ?? [];
  return names.map((name) => name.toString("latin1")).sort();
}

/** The same names, each with what it is. */
export function entriesIn(path: string): readonly FolderEntry[] {
  const entries = unlessGone(() => statFolder(fsPath(path))) ?? [];
  return [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether overlay hides what is below this folder. */
export function isOpaque(path: string): boolean {
  const value = getXattr(fsPath(path), "trusted.overlay.opaque");
  return value !== undefined && Buffer.from(value).toString("latin1") === "y";
}

function* tarFile(path: string, source: TarSource): Generator<Uint8Array, void, undefined> {
  let fd: number;
  try {
    fd = openSync(fsPath(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"].includes(errnoOf(error) ?? "")) return;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return; // it was replaced since
    yield formatTarHeader({ ...source, content: { sizeBytes: stats.size, open: noContent } });
    let left = stats.size;
    while (left > 0) {
      const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, left));
      const length = readSync(fd, piece, 0, piece.length, null);
      if (length === 0) piece.fill(0);
      const read = length === 0 ? piece.length : length;
      left -= read;
      yield piece.subarray(0, read);
    }
    const over = stats.size % blockBytes;
    if (over !== 0) yield Buffer.alloc(blockBytes - over);
  } finally {
    closeSync(fd);
  }
}

async function* noContent() {}

/** `undefined` for what an archive cannot hold. */
function sourceOf(
  path: string,
  name: string,
  of: Pick<TarTreeOptions, "userMap" | "latestNs"> & { readonly stats: BigIntStats },
): TarSource | undefined {
  const { stats, userMap, latestNs = stats.mtimeNs } = of;
  const type = typeOf(stats);
  if (type === undefined) return undefined;
  const isDevice = type === "character-device" || type === "block-device";
  const xattrs = xattrsOf(path);
  return {
    path: bytes(name),
    type,
    mode: Number(stats.mode) & 0o7777,
    uid: userMap === undefined ? Number(stats.uid) : insideOf(userMap.uids, Number(stats.uid)),
    gid: userMap === undefined ? Number(stats.gid) : insideOf(userMap.gids, Number(stats.gid)),
    mtimeNs: stats.mtimeNs > latestNs ? latestNs : stats.mtimeNs,
    ...(type === "symlink" && { linkPath: readlinkSync(fsPath(path), "buffer") }),
    ...(isDevice && { deviceMajor: majorOf(stats.rdev), deviceMinor: minorOf(stats.rdev) }),
    ...(xattrs.size > 0 && { xattrs }),
  };
}

function typeOf(stats: BigIntStats): TarSource["type"] | undefined {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isCharacterDevice()) return "character-device";
  if (stats.isBlockDevice()) return "block-device";
  return stats.isFIFO() ? "fifo" : undefined;
}

/** Capabilities, and what programs keep for themselves; not what this machine's kernel keeps. */
function xattrsOf(path: string): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const name of listXattr(fsPath(path))) {
    if (name !== "security.capability" && !/^user\.(?!overlay\.)/.test(name)) continue;
    const value = getXattr(fsPath(path), name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

function whiteoutOf(name: string): string {
  const slash = name.lastIndexOf("/") + 1;
  return `${name.slice(0, slash)}.wh.${name.slice(slash)}`;
}

function bytes(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

const majorOf = (rdev: bigint) => Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn));
const minorOf = (rdev: bigint) => Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn));
