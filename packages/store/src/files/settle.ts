import { type BigIntStats, chmodSync, chownSync, lstatSync, rmdirSync, unlinkSync } from "node:fs";
import { setTimesNs } from "@hawser/linux";
import type { SettleJob } from "./files-job.ts";
import { fsPath } from "./fs-path.ts";
import { namesIn } from "./tree-events.ts";

/**
 * Make overlay's writable folder, which is this thread's root, what its archive says of it: what that leaves out is removed, nothing is
 * younger than it says. Returns the bytes of its files, each counted once however many names it has.
 */
export function settle({ leaveOut, latestNs }: SettleJob): number {
  const isLeftOut = leftOutBy(leaveOut);
  const counted = new Set<string>();
  let sizeBytes = 0;
  /** Returns whether something was removed in it. */
  const settleFolder = (folder: string): boolean => {
    let isChanged = false;
    for (const name of namesIn(folder)) {
      const path = folder === "" ? name : `${folder}/${name}`;
      const stats = lstatSync(fsPath(path), { bigint: true });
      if (isLeftOut(path) || stats.isSocket()) {
        removeTree(path);
        isChanged = true;
        continue;
      }
      const isOther = stats.isDirectory() && settleFolder(path);
      if (!stats.isDirectory() && isNew(stats, counted)) sizeBytes += Number(stats.size);
      const timeNs = stats.mtimeNs > latestNs ? latestNs : stats.mtimeNs;
      if (isOther || timeNs !== stats.mtimeNs) setTimesNs(fsPath(path), timeNs, timeNs);
    }
    return isChanged;
  };
  // An archive says nothing of its top.
  chownSync("/", 0, 0);
  chmodSync("/", 0o755);
  settleFolder("");
  return sizeBytes;
}

function isNew({ dev, ino, nlink }: BigIntStats, counted: Set<string>): boolean {
  const key = `${dev}:${ino}`;
  if (nlink === 1n) return true;
  if (counted.has(key)) return false;
  counted.add(key);
  return true;
}

/** Tells what `paths` name, where nothing is in it but what they name, too. */
export function leftOutBy(paths: readonly string[]): (path: string) => boolean {
  const made = new Set(paths);
  const isEmpty = (path: string): boolean => {
    const stats = lstatSync(fsPath(path), { throwIfNoEntry: false });
    if (stats === undefined) return true;
    if (!stats.isDirectory()) return stats.isFile() && stats.size === 0;
    return namesIn(path).every((name) => made.has(`${path}/${name}`) && isEmpty(`${path}/${name}`));
  };
  return (path) => made.has(path) && isEmpty(path);
}

/** Nothing there is fine. The root itself stays. */
export function removeTree(path: string): void {
  const stats = lstatSync(fsPath(path), { throwIfNoEntry: false });
  if (stats === undefined || path === "") return;
  if (!stats.isDirectory()) {
    unlinkSync(fsPath(path));
    return;
  }
  for (const name of namesIn(path)) removeTree(`${path}/${name}`);
  rmdirSync(fsPath(path));
}
