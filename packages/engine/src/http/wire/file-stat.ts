import { constants } from "node:fs";
import type { FileStat } from "@hawser/store";
import { formatTimeNs } from "./time-ns.ts";

/** The value of `X-Docker-Container-Path-Stat`: JSON in base64. */
export function formatPathStat(stat: FileStat): string {
  const { name, sizeBytes, mode, mtimeNs, linkTarget } = stat;
  const value = { name, size: sizeBytes, mode: goFileMode(mode), mtime: formatTimeNs(mtimeNs), linkTarget };
  return Buffer.from(JSON.stringify(value)).toString("base64");
}

const bit = (number: number) => 2 ** number;

const kinds: ReadonlyMap<number, number> = new Map([
  [constants.S_IFDIR, bit(31)],
  [constants.S_IFLNK, bit(27)],
  [constants.S_IFBLK, bit(26)],
  [constants.S_IFCHR, bit(26) + bit(21)],
  [constants.S_IFIFO, bit(25)],
  [constants.S_IFSOCK, bit(24)],
]);

/** A mode of stat(2) as Go's `os.FileMode`. */
export function goFileMode(mode: number): number {
  const special =
    ((mode & 0o4000) !== 0 ? bit(23) : 0) +
    ((mode & 0o2000) !== 0 ? bit(22) : 0) +
    ((mode & 0o1000) !== 0 ? bit(20) : 0);
  return (kinds.get(mode & constants.S_IFMT) ?? 0) + special + (mode & 0o777);
}
