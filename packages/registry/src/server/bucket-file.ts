import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, writeFileAtomic } from "@hawser/base";
import { serverFaults } from "./faults.ts";

/** The folder's `bucket.json`: where its blobs are. */
export interface BucketFile {
  readonly bucket: string;
  /** Of the folder, as the bucket's `owner.json` names it. */
  readonly id: string;
  /** The index has all that was in the bucket when the folder took it over. */
  readonly restored: boolean;
}

/** @throws {Fault} `conflict` when a folder's blobs are in a bucket */
export async function requireNoBucket(root: string): Promise<void> {
  const known = await readBucketFile(root);
  if (known !== undefined)
    throw serverFaults.DATA_ELSEWHERE(root, `its blobs are in the bucket ${known.bucket}`);
}

/** `undefined`: there is none. */
export async function readBucketFile(root: string): Promise<BucketFile | undefined> {
  try {
    return JSON.parse(await readFile(join(root, "bucket.json"), "utf8")) as BucketFile;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export async function writeBucketFile(root: string, file: BucketFile): Promise<void> {
  await writeFileAtomic(join(root, "bucket.json"), JSON.stringify(file));
}
