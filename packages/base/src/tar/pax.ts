import { tarFaults } from "./tar-faults.ts";
import { tarTimeNs } from "./tar-field.ts";

/** A piece of a sparse file that is not a hole. */
export interface SparseSegment {
  readonly offset: number;
  readonly length: number;
}

/** What PAX extended headers say about the next entry (or, global ones, about all that follow). Absent: nothing. */
export interface PaxRecords {
  path?: Buffer;
  linkPath?: Buffer;
  sizeBytes?: number;
  uid?: number;
  gid?: number;
  mtimeNs?: bigint;
  readonly xattrs: Map<string, Buffer>;
  sparse?: {
    major: number;
    minor: number;
    realSize?: number;
    name?: Buffer;
    /** Versions 0.0 and 0.1; in 1.0 the map comes before the data. */
    numbers: number[];
  };
}

/**
 * Take the records of an extended header into `records`; later ones win. POSIX.1-2017, pax, "pax Extended Header":
 * `<length> <key>=<value>\n`, the length counting itself. An empty value takes a record back. Unknown keys are ignored.
 *
 * @throws {Fault} `data-loss` when a record is malformed.
 */
export function parsePaxRecords(data: Buffer, records: PaxRecords): void {
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    if (space === -1 || space - at > 10) throw damaged("has a record without length");
    const lengthText = data.toString("latin1", at, space);
    const length = /^[0-9]+$/.test(lengthText) ? Number(lengthText) : 0;
    const end = at + length;
    const equals = data.indexOf(0x3d, space);
    if (end > data.length || end <= space + 2 || equals === -1 || equals >= end || data[end - 1] !== 0x0a) {
      throw damaged("has a record with a wrong length");
    }
    const key = data.toString("utf8", space + 1, equals);
    takeRecord(records, key, data.subarray(equals + 1, end - 1));
    at = end;
  }
}

function takeRecord(records: PaxRecords, key: string, value: Buffer): void {
  const empty = value.length === 0;
  switch (key) {
    case "path":
    case "GNU.sparse.name":
    case "linkpath":
      if (value.includes(0)) throw damaged(`has a NUL in ${key}`);
      if (key === "path") assign(records, "path", empty ? undefined : value);
      else if (key === "linkpath") assign(records, "linkPath", empty ? undefined : value);
      else sparse(records).name = value;
      return;
    case "size":
      assign(records, "sizeBytes", empty ? undefined : decimal(key, value));
      return;
    case "uid":
      assign(records, "uid", empty ? undefined : decimal(key, value));
      return;
    case "gid":
      assign(records, "gid", empty ? undefined : decimal(key, value));
      return;
    case "mtime":
      assign(records, "mtimeNs", empty ? undefined : parsePaxTime(value));
      return;
    case "GNU.sparse.major":
      sparse(records).major = decimal(key, value);
      return;
    case "GNU.sparse.minor":
      sparse(records).minor = decimal(key, value);
      return;
    case "GNU.sparse.size":
    case "GNU.sparse.realsize":
      sparse(records).realSize = decimal(key, value);
      return;
    case "GNU.sparse.offset":
    case "GNU.sparse.numbytes":
      sparse(records).numbers.push(decimal(key, value));
      return;
    case "GNU.sparse.map":
      if (!empty) sparse(records).numbers = value.toString("latin1").split(",").map(mapNumber);
      return;
    default:
      if (key.startsWith(xattrPrefix)) {
        if (key.includes("\0")) throw damaged("has a NUL in an attribute's name");
        records.xattrs.set(key.slice(xattrPrefix.length), value);
      }
  }
}

export const xattrPrefix = "SCHILY.xattr.";

function assign<K extends keyof PaxRecords>(records: PaxRecords, key: K, value: PaxRecords[K] | undefined) {
  if (value === undefined) delete records[key];
  else records[key] = value;
}

function sparse(records: PaxRecords): NonNullable<PaxRecords["sparse"]> {
  records.sparse ??= { major: 0, minor: 0, numbers: [] };
  return records.sparse;
}

function decimal(key: string, value: Buffer): number {
  const text = value.toString("latin1");
  const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw damaged(`has a wrong number for ${key}`);
  return number;
}

function mapNumber(text: string): number {
  return decimal("GNU.sparse.map", Buffer.from(text, "latin1"));
}

function parsePaxTime(value: Buffer): bigint {
  const match = /^(-?)([0-9]{1,19})(?:\.([0-9]*))?$/.exec(value.toString("latin1"));
  if (match === null) throw damaged("has a wrong time");
  const [, sign, seconds = "0", fraction = ""] = match;
  const time = tarTimeNs(BigInt(seconds), BigInt(fraction.slice(0, 9).padEnd(9, "0")));
  return sign === "-" ? -time : time;
}

function damaged(what: string) {
  return tarFaults.TAR_DAMAGED(`an extended header ${what}`);
}
