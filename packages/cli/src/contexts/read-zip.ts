import { crc32, inflateRawSync } from "node:zlib";

/** A file of a zip archive. */
export interface ZipFile {
  /** As the archive has it: to be compared with what is wanted, never joined to a path. */
  readonly name: string;
  readonly data: Buffer;
}

/** What of APPNOTE.TXT 6.3 small archives use: files as they are or deflated, one volume, no encryption, no zip64. */
const endOfDirectory = { signature: 0x06054b50, bytes: 22 } as const;
const directoryEntry = { signature: 0x02014b50, bytes: 46 } as const;
const localHeader = { signature: 0x04034b50, bytes: 30 } as const;
const longestComment = 0xffff;

/**
 * The files of a zip archive, those that its directory lists; folders are left out.
 *
 * @param options.maxBytes of all files together
 * @throws {Error} whose message says what is wrong with it: it is damaged, lies about its sizes, or holds too much
 */
export function readZip(archive: Buffer, { maxBytes }: { readonly maxBytes: number }): readonly ZipFile[] {
  const end = findEnd(archive);
  const files: ZipFile[] = [];
  let left = maxBytes;
  let at = archive.readUInt32LE(end + 16);
  for (let count = archive.readUInt16LE(end + 10); count > 0; count--) {
    const entry = slice(archive, at, directoryEntry.bytes);
    if (entry.readUInt32LE(0) !== directoryEntry.signature) throw new Error("zip: not a valid zip file");
    const lengths = [28, 30, 32].map((offset) => entry.readUInt16LE(offset));
    const [nameBytes = 0] = lengths;
    const name = slice(archive, at + directoryEntry.bytes, nameBytes).toString();
    at += directoryEntry.bytes + lengths.reduce((sum, length) => sum + length, 0);
    if (name.endsWith("/")) continue;
    const data = readFile(archive, entry, left);
    left -= data.length;
    files.push({ name, data });
  }
  return files;
}

/** The directory's last record, which a comment may follow. */
function findEnd(archive: Buffer): number {
  const first = Math.max(0, archive.length - endOfDirectory.bytes - longestComment);
  for (let at = archive.length - endOfDirectory.bytes; at >= first; at--) {
    if (archive.readUInt32LE(at) === endOfDirectory.signature) return at;
  }
  throw new Error("zip: not a valid zip file");
}

function readFile(archive: Buffer, entry: Buffer, maxBytes: number): Buffer {
  const isEncrypted = (entry.readUInt16LE(8) & 1) !== 0;
  const method = entry.readUInt16LE(10);
  const wanted = { crc: entry.readUInt32LE(16), bytes: entry.readUInt32LE(24) };
  if (isEncrypted || (method !== 0 && method !== 8))
    throw new Error("zip: unsupported compression algorithm");
  if (wanted.bytes > maxBytes) throw new Error("zip: it holds too much");
  const at = entry.readUInt32LE(42);
  const header = slice(archive, at, localHeader.bytes);
  if (header.readUInt32LE(0) !== localHeader.signature) throw new Error("zip: not a valid zip file");
  const start = at + localHeader.bytes + header.readUInt16LE(26) + header.readUInt16LE(28);
  const packed = slice(archive, start, entry.readUInt32LE(20));
  // one more than it says it has: whoever lies is caught, and costs no more than that
  const data = method === 0 ? packed : inflateRawSync(packed, { maxOutputLength: wanted.bytes + 1 });
  if (data.length !== wanted.bytes || crc32(data) !== wanted.crc) throw new Error("zip: checksum error");
  return data;
}

function slice(archive: Buffer, at: number, length: number): Buffer {
  if (at + length > archive.length) throw new Error("zip: not a valid zip file");
  return archive.subarray(at, at + length);
}
