import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { errnoOf, rootedTarPath, type TarEntry, type TarEvent } from "@hawser/base";
import {
  deviceNumber,
  type FileAttributes,
  makeFile,
  mknod,
  setFileAttributes,
  setTimesNs,
  setXattr,
} from "@hawser/linux";
import { outsideOf, type UserMap } from "@hawser/oci";
import { storeFaults } from "../faults.ts";
import { fsPath } from "../files/fs-path.ts";
import { checkKind, isFolder, isWhiteout, leadsToFolder, lstat, setOpaque, shown } from "./root-entries.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY, S_IFBLK, S_IFCHR, S_IFIFO } = constants;

const whiteoutPrefix = ".wh.";
const opaqueWhiteout = ".wh..wh..opq";
/** AUFS' own records, which mean nothing to others. */
const whiteoutMetadataPrefix = ".wh..wh.";

const S_ISGID = 0o2000;
const own = { uid: process.geteuid?.(), gid: process.getegid?.() };
/** Of a mode, what a file has as soon as it is made. */
const openedBits = 0o777 & ~process.umask();

/** Overlay's own attributes: an archive that could set them would say where overlay looks for files. */
const overlayXattr = /^(?:trusted|user)\.overlay\./;

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A file whose entry has come, and not its end. */
interface OpenFile {
  readonly path: string;
  readonly entry: TarEntry;
  /** Once it has been opened to be written piece by piece. */
  fd?: number;
  /** It was made in one go. */
  isWhole: boolean;
}

export interface WriterOptions {
  /** Absolute path, as `rootedTarPath` has it (latin1, no slash at the ends), of the folder to unpack in. Default: the root. */
  readonly base?: string;
  /** The files are a container's, not a layer's: a name like `.wh.x` is one like any other. */
  readonly plain?: boolean;
  /** Owner of everything, instead of the archive's. */
  readonly owner?: Owner;
  /** Owners are those inside of this map; one who is nobody outside is refused. */
  readonly userMap?: UserMap;
  /** Refuse to put a file in the place of a folder, or the other way round. */
  readonly keepKinds?: boolean;
  /** Leave the attributes of `base` alone. */
  readonly keepBase?: boolean;
}

/**
 * Makes the files of a layer from its tar archive, in the form that overlay reads: a whiteout becomes a character
 * device 0:0, an opaque folder has `trusted.overlay.opaque=y`. image-spec, layer, "Applying Changesets".
 *
 * Works on `/` of a thread that is confined to the layer's folder, with synchronous calls only, so the kernel keeps
 * every name and link of the archive inside. Of several entries with one name the last wins; folders are merged.
 */
export class LayerWriter {
  /** Bytes of file data written, and of links, which Docker counts too. */
  sizeBytes = 0;

  /** Folders of the layer that exist. */
  #folders = new Set<string>([""]);
  /** Set at the end: what is made in a folder changes its time. */
  readonly #folderTimes = new Map<string, bigint>();
  /** Folders that entries lie in and that have no entry of their own. */
  readonly #implicit = new Set<string>();
  /** What is made may get its group or its mode from its folder. */
  #inherits: boolean;
  #file: OpenFile | undefined;
  readonly #options: WriterOptions;

  constructor(options: WriterOptions = {}) {
    this.#options = options;
    this.#inherits = options.plain === true;
  }

  /** @throws {Fault} `invalid-argument`, `data-loss` for what a layer must not have; else as node:fs throws. */
  take(event: TarEvent): void {
    switch (event.kind) {
      case "entry":
        this.#makeEntry(event.entry);
        return;
      case "data":
        if (this.#file !== undefined) this.#write(this.#file, event);
        return;
      case "end":
        if (this.#file !== undefined) this.#endFile(this.#file);
    }
  }

  /** After the last event. Returns what was once made as a folder without an entry, in latin1 as `rootedTarPath` has it. */
  finish(): readonly string[] {
    for (const [path, timeNs] of this.#folderTimes) {
      // A later entry may have put something else in its place.
      if (isFolder(path)) setTimesNs(fsPath(path), timeNs, timeNs);
    }
    return [...this.#implicit];
  }

  /** Close what is open, in any state. */
  close(): void {
    if (this.#file?.fd !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
  }

  #makeEntry(entry: TarEntry): void {
    const { base = "", plain, keepKinds, keepBase } = this.#options;
    const path = this.#pathOf(entry.path);
    if (path === base) {
      if (entry.type !== "directory") throw storeFaults.LAYER_REFUSED("an entry without a name");
      if (!keepBase) this.#setFolderAttributes(path, entry);
      return;
    }
    const slash = path.lastIndexOf("/");
    const parent = slash === -1 ? "" : path.slice(0, slash);
    const name = path.slice(slash + 1);
    if (!plain && name.startsWith(whiteoutPrefix)) {
      this.#makeWhiteout(parent, name);
      return;
    }
    this.#ensureFolder(parent);
    if (keepKinds) checkKind(path, { entry, base });
    switch (entry.type) {
      case "file":
        this.#file = { path, entry, isWhole: false };
        return;
      case "directory":
        this.#makeFolder(path);
        this.#setFolderAttributes(path, entry);
        return;
      case "symlink":
        this.#replace(path, () => symlinkSync(entry.linkPath, fsPath(path)));
        this.sizeBytes += entry.linkPath.length;
        break;
      case "hardlink":
        this.#makeHardLink(path, entry);
        return;
      case "fifo":
        this.#replace(path, () => mknod(fsPath(path), S_IFIFO | 0o600));
        break;
      case "character-device":
      case "block-device": {
        const type = entry.type === "block-device" ? S_IFBLK : S_IFCHR;
        const device = deviceNumber(entry.deviceMajor, entry.deviceMinor);
        this.#replace(path, () => mknod(fsPath(path), type | 0o600, device));
      }
    }
    const { uid, gid } = this.#ownerOf(entry);
    lchownSync(fsPath(path), uid, gid);
    if (entry.type !== "symlink") chmodSync(fsPath(path), entry.mode);
    this.#setXattrs(path, entry);
    setTimesNs(fsPath(path), entry.mtimeNs, entry.mtimeNs);
  }

  /** Most files come in one piece, and are made in one go. */
  #write(file: OpenFile, { bytes, offset }: { readonly bytes: Buffer; readonly offset: number }): void {
    const { entry } = file;
    this.sizeBytes += bytes.length;
    if (bytes.length === entry.sizeBytes && !entry.sparse) {
      this.#makeWhole(file, bytes);
      return;
    }
    const fd = this.#open(file);
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
    }
  }

  #open(file: OpenFile): number {
    const { path, entry } = file;
    const flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW;
    file.fd ??= this.#replace(path, () => openSync(fsPath(path), flags, entry.mode & 0o777));
    return file.fd;
  }

  #makeWhole(file: OpenFile, bytes: Uint8Array): void {
    const { path, entry } = file;
    const options = { ...this.#attributesOf(entry), openMode: entry.mode & 0o777 };
    this.#replace(path, () => makeFile(fsPath(path), bytes, options));
    file.isWhole = true;
  }

  #endFile(file: OpenFile): void {
    const { path, entry } = file;
    if (!file.isWhole) {
      if (entry.sizeBytes === 0) this.#makeWhole(file, Buffer.alloc(0));
      else {
        const fd = this.#open(file);
        if (entry.sparse) ftruncateSync(fd, entry.sizeBytes);
        setFileAttributes(fd, this.#attributesOf(entry));
      }
    }
    this.close();
    this.#setXattrs(path, entry);
  }

  #attributesOf(entry: TarEntry): FileAttributes {
    const owner = this.#ownerOf(entry);
    const isOwned = owner.uid === own.uid && owner.gid === own.gid && !this.#inherits;
    const isMoreThanOpened = !isOwned || (entry.mode & ~openedBits) !== 0;
    return {
      owner: isOwned ? undefined : owner,
      mode: isMoreThanOpened ? entry.mode : undefined,
      mtimeNs: entry.mtimeNs,
    };
  }

  #makeHardLink(path: string, entry: TarEntry): void {
    const target = this.#pathOf(entry.linkPath);
    if (target === path) throw storeFaults.LAYER_REFUSED(`"${shown(path)}" is a hard link to itself`);
    const link = () => linkSync(fsPath(target), fsPath(path));
    try {
      this.#replace(path, link);
    } catch (error) {
      if (!["ENOENT", "EPERM", "ENOTDIR"].includes(errnoOf(error) ?? "")) throw error;
      throw storeFaults
        .LAYER_REFUSED(
          `"${shown(path)}" is a hard link to "${shown(target)}", which is not a file before it in this layer`,
        )
        .because(error);
    }
  }

  #makeFolder(path: string): void {
    if (this.#folders.has(path)) return;
    const make = () => mkdirSync(fsPath(path), 0o700);
    const existing = lstat(path);
    if (existing === undefined) make();
    else if (!this.#options.plain && isWhiteout(existing)) {
      // The layer hides the folder of the layers below and makes its own.
      rmSync(fsPath(path));
      make();
      setOpaque(path);
    } else if (!existing.isDirectory()) {
      this.#removeExisting(path);
      make();
    }
    this.#folders.add(path);
  }

  /** All folders on the way to an entry; a symbolic link to a folder, which cannot lead out of the layer, is one. */
  #ensureFolder(path: string): void {
    if (this.#folders.has(path)) return;
    const slash = path.lastIndexOf("/");
    this.#ensureFolder(slash === -1 ? "" : path.slice(0, slash));
    const existing = lstat(path);
    if (existing === undefined || (!this.#options.plain && isWhiteout(existing))) {
      this.#makeFolder(path);
      chmodSync(fsPath(path), 0o755);
      if (this.#options.userMap !== undefined) {
        const { uid, gid } = this.#seen({ uid: 0, gid: 0 });
        chownSync(fsPath(path), uid, gid);
      }
      this.#implicit.add(path);
      return;
    }
    if (existing.isDirectory()) this.#folders.add(path);
    else if (!existing.isSymbolicLink() || !leadsToFolder(path)) {
      throw storeFaults.LAYER_REFUSED(`"${shown(path)}" is not a folder, but there are entries in it`);
    }
  }

  #makeWhiteout(parent: string, name: string): void {
    if (name === opaqueWhiteout) {
      this.#ensureFolder(parent);
      setOpaque(parent);
      return;
    }
    if (name.startsWith(whiteoutMetadataPrefix)) return;
    const hidden = name.slice(whiteoutPrefix.length);
    if (hidden === "" || hidden === "." || hidden === "..") {
      throw storeFaults.LAYER_REFUSED(`"${shown(name)}" is a whiteout of nothing`);
    }
    this.#ensureFolder(parent);
    const path = parent === "" ? hidden : `${parent}/${hidden}`;
    const existing = lstat(path);
    // A whiteout hides what is below this layer; what this layer has of that name stays.
    if (existing === undefined) mknod(fsPath(path), S_IFCHR, 0);
    else if (existing.isDirectory()) setOpaque(path);
  }

  #setFolderAttributes(path: string, entry: TarEntry): void {
    const { uid, gid } = this.#ownerOf(entry);
    chownSync(fsPath(path), uid, gid);
    chmodSync(fsPath(path), entry.mode);
    if ((entry.mode & S_ISGID) !== 0) this.#inherits = true;
    this.#setXattrs(path, entry);
    this.#folderTimes.set(path, entry.mtimeNs);
    this.#implicit.delete(path);
  }

  #setXattrs(path: string, entry: TarEntry): void {
    for (const [name, value] of entry.xattrs) {
      if (overlayXattr.test(name)) continue;
      if (name === "system.posix_acl_default") this.#inherits = true;
      try {
        setXattr(fsPath(path), name, value);
      } catch (error) {
        // Not every file system has every attribute; Docker goes on, too.
        if (!["ENOTSUP", "EOPNOTSUPP", "EPERM"].includes(errnoOf(error) ?? "")) throw error;
      }
    }
  }

  #pathOf(name: Buffer): string {
    const { base = "" } = this.#options;
    const path = rootedTarPath(name);
    return base === "" || path === "" ? base + path : `${base}/${path}`;
  }

  #ownerOf(entry: TarEntry): Owner {
    return this.#seen(this.#options.owner ?? entry);
  }

  /** Who an owner is outside of the map, if there is one. */
  #seen(owner: Owner): Owner {
    const { userMap } = this.#options;
    if (userMap === undefined) return owner;
    const [uid, gid] = [outsideOf(userMap.uids, owner.uid), outsideOf(userMap.gids, owner.gid)];
    if (uid === undefined || gid === undefined) throw storeFaults.OWNER_UNMAPPED(owner.uid, owner.gid);
    return { uid, gid };
  }

  /** `make` something at `path`, in place of what an earlier entry put there. */
  #replace<T>(path: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    this.#removeExisting(path);
    return make();
  }

  #removeExisting(path: string): void {
    const existing = lstat(path);
    rmSync(fsPath(path), { recursive: true, force: true });
    // A folder, or a link to one, took all names below it along.
    if (existing?.isFile() !== true) this.#folders = new Set([""]);
  }
}
