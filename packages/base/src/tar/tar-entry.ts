export type TarEntryType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "character-device"
  | "block-device"
  | "fifo";

/**
 * One member of a tar archive. Names are bytes: they need not be UTF-8, never hold NUL, and are as hostile as the
 * archive (`rootedTarPath` makes them safe).
 */
export interface TarEntry {
  readonly path: Buffer;
  readonly type: TarEntryType;
  /** What a link points to, else empty. For a hard link the `path` of an earlier entry. */
  readonly linkPath: Buffer;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970, within a signed 64 bit number. */
  readonly mtimeNs: bigint;
  /** Of the file when it is unpacked; for a sparse file its length with holes. 0 for all but files. */
  readonly sizeBytes: number;
  /** The file has holes: only its data arrives, and the rest up to `sizeBytes` is zero. */
  readonly sparse: boolean;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** By full name: `security.capability`, `user.x`. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
}
