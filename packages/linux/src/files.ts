import { isMainThread } from "node:worker_threads";
import { linuxFaults } from "./faults.ts";
import { asBuffer, asPath, native } from "./native.ts";

/*
 * All of these are synchronous on purpose: only synchronous calls stay in the root of a confined thread. Each throws an
 * Error as node:fs does, with `code`, `syscall` and `path`. A path is text, or bytes where a name need not be UTF-8.
 */
export type FilePath = string | Uint8Array;

/**
 * Make `root` the root and working folder of the calling worker thread alone (`unshare(CLONE_FS)`, chroot(2)), until `releaseThread`.
 * From then on its synchronous file calls cannot leave `root` by any path or link. Asynchronous ones run on threads that
 * are *not* confined, and so must not be used there; nor can modules be loaded any more. Descriptors that are open keep
 * leading out.
 *
 * @throws {Fault} `invalid-argument` on the main thread.
 * @throws {Error} with `code` `EPERM`, `ENOENT`, `ENOTDIR`.
 */
export function confineThread(root: string): void {
  if (isMainThread) throw linuxFaults.MAIN_THREAD();
  native().confineThread(root);
}

/**
 * The calling worker thread, which was confined, has the process' root, working folder and mounts again; what was mounted for it alone
 * is gone.
 *
 * @throws {Error} with `code`: it was not confined, or cannot come back. It must not go on then.
 */
export function releaseThread(): void {
  if (isMainThread) throw linuxFaults.MAIN_THREAD();
  native().releaseThread();
}

/**
 * Make a device, FIFO or plain file; `mode` has the type's bits (`S_IFCHR` ...) and is subject to the umask, `rdev` is as
 * `fs.Stats` has it and counts for devices only (`deviceNumber`).
 */
export function mknod(path: FilePath, mode: number, rdev = 0): void {
  native().makeNode(asPath(path), mode, rdev);
}

/**
 * Let two files or folders of one file system change places at once: at no moment is either name without one (`RENAME_EXCHANGE`).
 *
 * @throws {Error} with `code` `ENOENT` when one is not there, `EINVAL` where the file system cannot.
 */
export function exchangeFiles(one: FilePath, other: FilePath): void {
  native().exchangeFiles(asPath(one), asPath(other));
}

/** Linux' `dev_t` of a major and a minor number, as in `fs.Stats#rdev`. */
export function deviceNumber(major: number, minor: number): number {
  const [majorHigh, majorLow] = [Math.floor(major / 0x1000), major % 0x1000];
  const [minorHigh, minorLow] = [Math.floor(minor / 0x100), minor % 0x100];
  return majorHigh * 2 ** 44 + minorHigh * 2 ** 20 + majorLow * 2 ** 8 + minorLow;
}

/** Set an extended attribute, of the link itself where `path` is one. */
export function setXattr(path: FilePath, name: string, value: Uint8Array): void {
  native().setXattr(asPath(path), name, asBuffer(value));
}

/** An extended attribute, of the link itself where `path` is one; `undefined` when it is not set. */
export function getXattr(path: FilePath, name: string): Uint8Array | undefined {
  return native().getXattr(asPath(path), name);
}

/** Names of the extended attributes, of the link itself where `path` is one. */
export function listXattr(path: FilePath): readonly string[] {
  return native().listXattr(asPath(path));
}

/** Set access and modification time in ns since 1970 (before it: negative), of the link itself where `path` is one. */
export function setTimesNs(path: FilePath, atimeNs: bigint, mtimeNs: bigint): void {
  native().setTimesNs(asPath(path), atimeNs, mtimeNs);
}

/** What becomes of a file that has been written. */
export interface FileAttributes {
  /** Default: the writer. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Permissions and setuid, setgid and sticky bits. Default: as it was made. */
  readonly mode?: number | undefined;
  /** Time of access and change, in ns since 1970. */
  readonly mtimeNs: bigint;
}

/**
 * Make a file that is not there, with all that is in it: one call for what node:fs needs six for. `openMode` is what open(2) is given,
 * subject to the umask. After a failure behind `open` a part of the file is there.
 *
 * @throws {Error} with `code`: `EEXIST` for anything that is there, also a link.
 */
export function makeFile(
  path: FilePath,
  bytes: Uint8Array,
  options: FileAttributes & { readonly openMode: number },
): void {
  native().makeFile(asPath(path), asBuffer(bytes), options.openMode, ...attributeList(options));
}

/** Give an open file its attributes. */
export function setFileAttributes(fd: number, attributes: FileAttributes): void {
  native().setFileAttributes(fd, ...attributeList(attributes));
}

function attributeList({ owner, mode, mtimeNs }: FileAttributes) {
  return [owner?.uid ?? -1, owner?.gid ?? -1, mode ?? -1, mtimeNs] as const;
}

/**
 * Open `path` as if the folder `dirFd` were the root of the file system: absolute links and `..` stay inside, links of
 * /proc are refused (openat2(2), `RESOLVE_IN_ROOT`). `mode` counts when something is made. The descriptor is the caller's.
 * Opening a FIFO or device of a stranger blocks or acts: add `O_NONBLOCK`, or `O_PATH` first.
 *
 * @throws {Error} also with `code` `EAGAIN` when `..` could not be resolved safely because of renames going on.
 */
export function openInRoot(dirFd: number, path: FilePath, flags: number, mode: number): number {
  return native().openInRoot(dirFd, asPath(path), flags, mode);
}

/** One name in a folder. */
export interface FolderEntry {
  /** One byte a character. */
  readonly name: string;
  /** With the type's bits. */
  readonly mode: number;
  /** "mode uid gid size mtimeNs ctimeNs inode": while it is the same, so is the file. */
  readonly mark: string;
}

/** What is in a folder, in no order; links are not followed, and what vanishes meanwhile is left out. */
export function statFolder(path: FilePath): readonly FolderEntry[] {
  const parts = Buffer.from(native().statFolder(asPath(path)))
    .toString("latin1")
    .split("\0");
  const entries: FolderEntry[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [name = "", mark = ""] = [parts[at], parts[at + 1]];
    entries.push({ name, mode: Number.parseInt(mark, 10), mark });
  }
  return entries;
}

/**
 * Lock an open file for this process' open of it (flock(2), exclusive) without waiting; `false` when someone else has it.
 * The lock ends when the last copy of the descriptor is closed, so at the latest with the process.
 */
export function lockFile(fd: number): boolean {
  return native().lockFile(fd);
}
