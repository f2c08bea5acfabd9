import type { Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "@hawser/base";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";

/** How much a container takes. */
export interface ContainerSize {
  /** What it has written on top of its image. */
  readonly ownBytes: number;
  /** Its whole root file system, the image included. */
  readonly totalBytes: number;
}

/** Sizes as Docker counts them: of files and links, each once however many names it has. The container may run meanwhile. */
export async function measureContainer(
  { snapshots, images }: Collaborators,
  { record }: Container,
): Promise<ContainerSize> {
  const ownBytes = await measureFolder(snapshots.get(record.id).upper, new Set());
  const image = images.list().find(({ id }) => id === record.imageId);
  return { ownBytes, totalBytes: ownBytes + (image?.sizeBytes ?? 0) };
}

async function measureFolder(folder: string, seen: Set<number>): Promise<number> {
  let sum = 0;
  for (const name of await unlessGone(readdir(folder), [])) {
    const path = join(folder, name);
    const stats = await unlessGone<Stats | undefined>(lstat(path), undefined);
    if (stats === undefined) continue;
    if (stats.isDirectory()) sum += await measureFolder(path, seen);
    else if (!seen.has(stats.ino)) {
      seen.add(stats.ino);
      sum += stats.size;
    }
  }
  return sum;
}

async function unlessGone<T>(result: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return otherwise;
    throw error;
  }
}
