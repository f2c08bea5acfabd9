import type { PaxRecords } from "./pax.ts";
import type { TarEntry, TarEntryType } from "./tar-entry.ts";
import { tarFaults } from "./tar-faults.ts";
import { parseTarNumber, parseTarText, tarTimeNs } from "./tar-field.ts";

/**
 * The block of an entry and the extended records that go with it as one entry, and how many bytes of data follow.
 *
 *     0 name 100 | 100 mode 8 | 108 uid 8 | 116 gid 8 | 124 size 12 | 136 mtime 12 | 148 checksum 8 | 156 type 1
 *     157 linkname 100 | 257 magic 6 | 263 version 2 | 265 uname 32 | 297 gname 32 | 329 major 8 | 337 minor 8
 *     345 prefix 155 (ustar), 131 (star, "tar\0" at 508); old GNU: 386 four sparse pieces, 482 more, 483 real size 12
 *
 * @throws {Fault} `data-loss`, `invalid-argument` for types that no container layer has
 */
export function interpretHeader(
  block: Buffer,
  typeFlag: string,
  records: PaxRecords,
): { readonly entry: TarEntry; readonly storedBytes: number } {
  const rawPath = records.sparse?.name ?? records.path ?? headerPath(block);
  const type = entryType(typeFlag, rawPath);
  if (rawPath.includes(0)) throw tarFaults.TAR_DAMAGED("a name has a NUL in it");

  let storedBytes = records.sizeBytes ?? parseTarNumber(block, 124, 136, "size");
  if (storedBytes < 0) throw tarFaults.TAR_DAMAGED("a header's size is negative");
  if (type !== "file") storedBytes = 0;

  const sparse = type === "file" && (typeFlag === "S" || isSparse(records));
  let sizeBytes = storedBytes;
  if (typeFlag === "S") sizeBytes = parseTarNumber(block, 483, 495, "real size");
  else if (sparse) sizeBytes = records.sparse?.realSize ?? storedBytes;
  if (sizeBytes < 0) throw tarFaults.TAR_DAMAGED("a header's real size is negative");

  const isDevice = type === "character-device" || type === "block-device";
  const mtimeNs = records.mtimeNs ?? tarTimeNs(BigInt(parseTarNumber(block, 136, 148, "mtime")), 0n);
  const entry: TarEntry = {
    path: Buffer.from(rawPath),
    type,
    linkPath:
      type === "symlink" || type === "hardlink"
        ? Buffer.from(records.linkPath ?? parseTarText(block.subarray(157, 257)))
        : noBytes,
    mode: parseTarNumber(block, 100, 108, "mode") & 0o7777,
    uid: checkId(records.uid ?? parseTarNumber(block, 108, 116, "uid"), "uid"),
    gid: checkId(records.gid ?? parseTarNumber(block, 116, 124, "gid"), "gid"),
    mtimeNs,
    sizeBytes,
    sparse,
    deviceMajor: isDevice ? checkDevice(parseTarNumber(block, 329, 337, "device number")) : 0,
    deviceMinor: isDevice ? checkDevice(parseTarNumber(block, 337, 345, "device number")) : 0,
    xattrs: records.xattrs,
  };
  return { entry, storedBytes };
}

function isSparse({ sparse }: PaxRecords): boolean {
  if (sparse === undefined) return false;
  const version = `${sparse.major}.${sparse.minor}`;
  if (!["0.0", "0.1", "1.0"].includes(version)) {
    throw tarFaults.TAR_UNSUPPORTED(`a sparse file of version ${version}`);
  }
  return true;
}

const noBytes = Buffer.alloc(0);
const ustarMagic = Buffer.from("ustar\0");
const starMagic = Buffer.from("tar\0");

/** Whether `wanted` lies at `start`. */
function hasBytes(block: Buffer, start: number, wanted: Buffer): boolean {
  return block.compare(wanted, 0, wanted.length, start, start + wanted.length) === 0;
}

function headerPath(block: Buffer): Buffer {
  const name = parseTarText(block.subarray(0, 100));
  // GNU's magic is "ustar " and has times where the prefix would be.
  if (!hasBytes(block, 257, ustarMagic)) return name;
  const isStar = hasBytes(block, 508, starMagic);
  const prefix = parseTarText(block.subarray(345, isStar ? 476 : 500));
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
}

function entryType(flag: string, path: Buffer): TarEntryType {
  switch (flag) {
    case "\0":
      return path.at(-1) === 0x2f ? "directory" : "file";
    case "0":
    case "7":
    case "S":
      return "file";
    case "1":
      return "hardlink";
    case "2":
      return "symlink";
    case "3":
      return "character-device";
    case "4":
      return "block-device";
    case "5":
      return "directory";
    case "6":
      return "fifo";
    default:
      throw tarFaults.TAR_UNSUPPORTED(`an entry of type ${JSON.stringify(flag)}`);
  }
}

/** -1 means "leave as it is" to chown, so the largest number is not an id. */
function checkId(id: number, what: string): number {
  if (id < 0 || id >= 0xffff_ffff) throw tarFaults.TAR_DAMAGED(`a header's ${what} is out of range`);
  return id;
}

function checkDevice(number: number): number {
  if (number < 0 || number > 0xfff_ffff)
    throw tarFaults.TAR_DAMAGED("a header's device number is out of range");
  return number;
}
