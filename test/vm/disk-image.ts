import { rm } from "node:fs/promises";
import { runProgramOk } from "@hawser/base";

export interface DiskImageOptions {
  /** What the disk holds, owners and modes as they are. */
  readonly folder: string;
  /** The sparse file to make or replace. */
  readonly disk: string;
  readonly sizeMb: number;
  readonly signal: AbortSignal;
}

/** Write an ext4 disk image with the content of a folder; needs no loop device and no mount. */
export async function writeDiskImage(options: DiskImageOptions): Promise<void> {
  const { folder, disk, sizeMb, signal } = options;
  await rm(disk, { force: true });
  const quiet = ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0"];
  await runProgramOk(["/sbin/mke2fs", ...quiet, "-d", folder, disk, `${sizeMb}M`], { signal });
}
