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
import { errnoOf, type TarEntry, type TarEvent } from "@hawser/base";
import { type FolderEntry, getXattr, listXattr, statFolder } from "@hawser/linux";
import { insideOf, type UserMap } from "@hawser/oci";
import { fsPath } from "./fs-path.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** Of files; whoever reads a tree has done with a piece before the next, and a thread reads one tree at a time. */
const piece = Buffer.allocUnsafeSlow(256 * 1024);

export interface TreeOptions {
  /** Where to begin, as `rootedTarPath` has it. */
  readonly path: string;
  /** What the beginning is called; empty: it has no entry, its content is at the top. One byte a character. */
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
  readonly leaveOut?: (path: string, isFolder: boolean) => boolean;
}

/**
 * A file or folder of a confined thread's root, as its archive is read: in order of names. Links are not followed, sockets are left
 * out, and what vanishes on the way is. A file that shrinks while it is read is filled up. Bytes are those of a file until the next
 * ones are asked for.
 */
export function* treeEvents(options: TreeOptions): Generator<TarEvent, void, undefined> {
  const linked = new Map<string, string>();
  yield* eventsOf(options.path, options.name);

  function* eventsOf(path: string, name: string): Generator<TarEvent, void, undefined> {
    const stats = unlessGone(() => lstatSync(fsPath(path), { bigint: true }));
    if (stats === undefined || options.leaveOut?.(path, stats.isDirectory())) return;
    if (options.asLayer && stats.isCharacterDevice() && stats.rdev === 0n) {
      yield* emptyFile(whiteoutOf(name));
      return;
    }
    const entry = unlessGone(() => entryOf(path, name, { ...options, stats }));
    if (entry === undefined) return;
    if (entry.type === "file") {
      const key = `${stats.dev}:${stats.ino}`;
      const first = stats.nlink > 1n ? linked.get(key) : undefined;
      if (first !== undefined) {
        yield* withoutData({ ...entry, type: "hardlink", linkPath: bytes(first) });
        return;
      }
      if (stats.nlink > 1n) linked.set(key, name);
      yield* fileEvents(path, entry);
      return;
    }
    if (name !== "") yield* withoutData(entry);
    if (entry.type !== "directory" || options.isShallow === true) return;
    const prefix = name === "" || name.endsWith("/") ? name : `${name}/`;
    if (options.asLayer && name !== "" && isOpaque(path)) yield* emptyFile(`${prefix}.wh..wh..opq`);
    for (const child of namesIn(path)) {
      yield* eventsOf(path === "" ? child : `${path}/${child}`, `${prefix}${child}`);
    }
  }
}

/** What an entry has unless its file says otherwise. */
export const plainEntry = {
  linkPath: Buffer.alloc(0),
  uid: 0,
  gid: 0,
  mtimeNs: 0n,
  sizeBytes: 0,
  sparse: false,
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: new Map<string, Buffer>(),
} as const;

function* withoutData(entry: TarEntry): Generator<TarEvent, void, undefined> {
  yield { kind: "entry", entry };
  yield { kind: "end" };
}

function emptyFile(name: string): Generator<TarEvent, void, undefined> {
  return withoutData({ ...plainEntry, path: bytes(name), type: "file", mode: 0 });
}

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

function* fileEvents(path: string, entry: TarEntry): Generator<TarEvent, void, undefined> {
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
    const sizeBytes = stats.size;
    yield { kind: "entry", entry: { ...entry, sizeBytes } };
    for (let offset = 0; offset < sizeBytes; ) {
      const wanted = Math.min(piece.length, sizeBytes - offset);
      const length = readSync(fd, piece, 0, wanted, null);
      if (length === 0) piece.fill(0, 0, wanted);
      const bytes = piece.subarray(0, length === 0 ? wanted : length);
      yield { kind: "data", bytes, offset };
      offset += bytes.length;
    }
    yield { kind: "end" };
  } finally {
    closeSync(fd);
  }
}

/** `undefined` for what an archive cannot hold. */
function entryOf(
  path: string,
  name: string,
  of: Pick<TreeOptions, "userMap" | "latestNs"> & { readonly stats: BigIntStats },
): TarEntry | undefined {
  const { stats, userMap, latestNs = stats.mtimeNs } = of;
  const type = typeOf(stats);
  if (type === undefined) return undefined;
  const isDevice = type === "character-device" || type === "block-device";
  return {
    ...plainEntry,
    path: bytes(name),
    type,
    mode: Number(stats.mode) & 0o7777,
    uid: userMap === undefined ? Number(stats.uid) : insideOf(userMap.uids, Number(stats.uid)),
    gid: userMap === undefined ? Number(stats.gid) : insideOf(userMap.gids, Number(stats.gid)),
    mtimeNs: stats.mtimeNs > latestNs ? latestNs : stats.mtimeNs,
    ...(type === "symlink" && { linkPath: readlinkSync(fsPath(path), "buffer") }),
    ...(isDevice && { deviceMajor: majorOf(stats.rdev), deviceMinor: minorOf(stats.rdev) }),
    xattrs: xattrsOf(path),
  };
}

function typeOf(stats: BigIntStats): TarEntry["type"] | undefined {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isCharacterDevice()) return "character-device";
  if (stats.isBlockDevice()) return "block-device";
  return stats.isFIFO() ? "fifo" : undefined;
}

/** Capabilities, and what programs keep for themselves; not what this machine's kernel keeps. */
function xattrsOf(path: string): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const name of listXattr(fsPath(path))) {
    if (name !== "security.capability" && !/^user\.(?!overlay\.)/.test(name)) continue;
    const value = getXattr(fsPath(path), name);
    if (value !== undefined) found.set(name, Buffer.from(value));
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
