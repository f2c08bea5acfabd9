import { xattrPrefix } from "./pax.ts";
import type { TarEntryType } from "./tar-entry.ts";
import { tarFaults } from "./tar-faults.ts";
import { tarBlockBytes } from "./tar-field.ts";

/** An entry to write. What is absent is zero or empty. */
export interface TarSource {
  /** Text is written as UTF-8. A directory's trailing slash is added where it is missing. */
  readonly path: string | Uint8Array;
  readonly type: TarEntryType;
  readonly linkPath?: string | Uint8Array;
  /** Default: 0o755 for directories, 0o777 for symbolic links, else 0o644. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtimeNs?: bigint;
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
  /** A file's bytes: at hand, or a stream of known length. */
  readonly content?: Uint8Array | TarContent;
}

export interface TarContent {
  readonly sizeBytes: number;
  /** May be called more than once and gives the same bytes each time. */
  open(): AsyncIterable<Uint8Array>;
}

/**
 * A tar archive (POSIX ustar, PAX where ustar does not suffice) of `entries`, ended by two zero blocks. The same entries
 * give the same bytes. Faults of the sources pass through.
 *
 * @throws {Fault} `data-loss` when a stream gives more or fewer bytes than it said.
 */
export async function* writeTar(
  entries: Iterable<TarSource> | AsyncIterable<TarSource>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const entry of entries) {
    yield formatTarHeader(entry);
    if (entry.type !== "file" || entry.content === undefined) continue;
    const size = contentBytes(entry);
    let written = 0;
    const chunks = entry.content instanceof Uint8Array ? [entry.content] : entry.content.open();
    for await (const chunk of chunks) {
      written += chunk.length;
      if (written > size) break;
      if (chunk.length > 0) yield chunk;
    }
    if (written !== size) throw tarFaults.TAR_DAMAGED(`the content of an entry does not have ${size} bytes`);
    if (size % tarBlockBytes !== 0) yield Buffer.alloc(tarBlockBytes - (size % tarBlockBytes));
  }
  yield Buffer.alloc(2 * tarBlockBytes);
}

/** The header blocks of one entry, its PAX records before it when it needs any. */
export function formatTarHeader(entry: TarSource): Buffer {
  const size = contentBytes(entry);
  const records: [string, Uint8Array][] = [];
  let path = bytes(entry.path);
  if (entry.type === "directory" && path.at(-1) !== 0x2f) path = Buffer.concat([path, Buffer.from("/")]);
  const linkPath = bytes(entry.linkPath ?? "");
  const mtimeNs = entry.mtimeNs ?? 0n;
  const seconds = Number(mtimeNs / 1_000_000_000n);

  if (path.length > 100) records.push(["path", path]);
  if (linkPath.length > 100) records.push(["linkpath", linkPath]);
  if (size > largestOctal12) records.push(["size", Buffer.from(String(size))]);
  const uid = entry.uid ?? 0;
  const gid = entry.gid ?? 0;
  if (uid > largestOctal8) records.push(["uid", Buffer.from(String(uid))]);
  if (gid > largestOctal8) records.push(["gid", Buffer.from(String(gid))]);
  if (mtimeNs % 1_000_000_000n !== 0n || seconds < 0 || seconds > largestOctal12) {
    records.push(["mtime", Buffer.from(formatPaxTime(mtimeNs))]);
  }
  for (const [name, value] of [...(entry.xattrs ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    records.push([xattrPrefix + name, value]);
  }

  const block = formatBlock({
    path: path.subarray(0, 100),
    linkPath: linkPath.subarray(0, 100),
    flag: typeFlags[entry.type],
    mode: entry.mode ?? defaultMode(entry.type),
    uid: Math.min(uid, largestOctal8),
    gid: Math.min(gid, largestOctal8),
    size: size > largestOctal12 ? 0 : size,
    seconds: seconds < 0 || seconds > largestOctal12 ? 0 : seconds,
    deviceMajor: entry.deviceMajor ?? 0,
    deviceMinor: entry.deviceMinor ?? 0,
  });
  return records.length === 0 ? block : Buffer.concat([formatPaxHeader(records), block]);
}

const largestOctal8 = 0o7777777;
const largestOctal12 = 0o77777777777;

const typeFlags: Readonly<Record<TarEntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
};

function defaultMode(type: TarEntryType): number {
  if (type === "directory") return 0o755;
  return type === "symlink" ? 0o777 : 0o644;
}

function contentBytes({ type, content }: TarSource): number {
  if (type !== "file" || content === undefined) return 0;
  return content instanceof Uint8Array ? content.length : content.sizeBytes;
}

function bytes(text: string | Uint8Array): Buffer {
  return typeof text === "string" ? Buffer.from(text) : Buffer.from(text);
}

function formatPaxHeader(records: readonly (readonly [string, Uint8Array])[]): Buffer {
  const data = Buffer.concat(records.map(([key, value]) => formatPaxRecord(key, value)));
  const block = formatBlock({
    path: Buffer.from("PaxHeaders/entry"),
    linkPath: Buffer.alloc(0),
    flag: "x",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: data.length,
    seconds: 0,
    deviceMajor: 0,
    deviceMinor: 0,
  });
  const padding = Buffer.alloc((tarBlockBytes - (data.length % tarBlockBytes)) % tarBlockBytes);
  return Buffer.concat([block, data, padding]);
}

function formatPaxRecord(key: string, value: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = body.length + String(body.length).length;
  // Counting its own digits can add one.
  if (String(length).length !== String(body.length).length) length = body.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

function formatPaxTime(timeNs: bigint): string {
  const magnitude = timeNs < 0n ? -timeNs : timeNs;
  const fraction = (magnitude % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  return `${timeNs < 0n ? "-" : ""}${magnitude / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}

function formatBlock(fields: {
  readonly path: Buffer;
  readonly linkPath: Buffer;
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly seconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}): Buffer {
  const block = Buffer.alloc(tarBlockBytes);
  const octal = (value: number, at: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
  fields.path.copy(block, 0);
  octal(fields.mode, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  octal(fields.size, 124, 12);
  octal(fields.seconds, 136, 12);
  block.fill(0x20, 148, 156);
  block.write(fields.flag, 156, "latin1");
  fields.linkPath.copy(block, 157);
  block.write("ustar\x0000", 257, "latin1");
  octal(fields.deviceMajor, 329, 8);
  octal(fields.deviceMinor, 337, 8);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
