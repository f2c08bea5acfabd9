import { statfs } from "node:fs/promises";
import { Fault } from "@hawser/base";
import { containerFaults } from "./faults.ts";

/** With less than this left, a file and the folders above it cannot be counted on to be made in an overlay. */
const fewFiles = 8;
const fewBytes = 64 * 1024;

/**
 * Why a container did not start. crun makes a mount point that the image lacks, and where that fails opens it for reading and tells the
 * reason of that: a disk without room, below the writable folder `upper`, reads "no such file or directory".
 */
export async function startFault(error: unknown, upper: string): Promise<unknown> {
  if (!Fault.is(error, "invalid-argument")) return error;
  if (!/: open `[^`]*`: no such file or directory/.test(error.message)) return error;
  if (!(await isFull(upper))) return error;
  return containerFaults.ROOTFS_FULL(error.message).because(error);
}

/** File systems that make inodes as they go count none. */
async function isFull(folder: string): Promise<boolean> {
  const { bavail, bsize, files, ffree } = await statfs(folder);
  return bavail * bsize < fewBytes || (files > 0 && ffree < fewFiles);
}
