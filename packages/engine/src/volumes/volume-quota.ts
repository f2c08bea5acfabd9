import { parseByteSize } from "@hawser/base";
import { setProjectQuota } from "@hawser/linux";
import { volumeFaults } from "./faults.ts";
import type { VolumeRecord } from "./volume-record.ts";

/** Far from where others begin to count: users and xfs' own projects from 0, engines of other makes from the highest of those. */
const firstProject = 0x4857_0000;

/** A number that no volume has. */
export function freeProject(records: Iterable<VolumeRecord>): number {
  let highest = firstProject - 1;
  for (const { project } of records) highest = Math.max(highest, project ?? 0);
  return highest + 1;
}

/**
 * Bound what a new volume's folder may hold.
 *
 * @throws {Fault} `invalid-argument`, Docker's words: the file system has no project quotas, or they are switched off
 */
export function limitFolder(folder: string, { name, project, options }: VolumeRecord): void {
  if (project === undefined) return;
  try {
    setProjectQuota(folder, { project, sizeBytes: parseByteSize(options?.["size"] ?? "") ?? 0 });
  } catch (error) {
    throw volumeFaults.VOLUME_QUOTA_MISSING(name).because(error);
  }
}

/** The volume is going, and its number may be another's. */
export function unlimitFolder(folder: string, { project }: VolumeRecord): void {
  if (project !== undefined) setProjectQuota(folder, { project, sizeBytes: 0 });
}
