import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Logger } from "@hawser/base";
import type { BlobStorage } from "./blob-storage.ts";
import { readBucketFile, writeBucketFile } from "./bucket-file.ts";
import { serverFaults } from "./faults.ts";
import type { FileUploads } from "./file-uploads.ts";
import { IndexRecords, readRecords } from "./index-records.ts";
import type { RegistryIndex } from "./registry-index.ts";
import { S3BlobStorage } from "./s3-blob-storage.ts";
import { S3Bucket, type S3Options } from "./s3-bucket.ts";

/** The bucket's `owner.json`: whose it is. */
interface Owner {
  readonly id: string;
  readonly host: string;
}

/** How long a bucket is believed to be still ours. */
const ownedMs = 10_000;

export interface S3Storage extends Disposable {
  readonly storage: BlobStorage;
  readonly records: IndexRecords;
}

/**
 * Open a bucket for the registry whose folder `root` is. An empty folder takes the bucket over: its index becomes what the bucket says,
 * and the registry that had it before is refused from then on.
 *
 * @throws {Fault} `unavailable` when the bucket cannot be used or is another's; `conflict` when the folder is of another bucket
 */
export async function openS3Storage(
  options: S3Options,
  parts: {
    readonly root: string;
    readonly index: RegistryIndex;
    readonly uploads: FileUploads;
    readonly log: Logger;
    readonly now: () => number;
  },
): Promise<S3Storage> {
  const { root, index, uploads, log, now } = parts;
  await using opened = new AsyncDisposableStack();
  const bucket = opened.use(new S3Bucket(options));
  const known = await readBucketFile(root);
  const name = `${bucket.name}${options.prefix === undefined ? "" : `, ${options.prefix}`}`;
  if (known === undefined && !index.isEmpty)
    throw serverFaults.DATA_ELSEWHERE(root, "its blobs are files; a bucket wants an empty folder");
  if (known !== undefined && known.bucket !== name)
    throw serverFaults.DATA_ELSEWHERE(root, `its blobs are in the bucket ${known.bucket}, not in ${name}`);
  const id = known?.id ?? randomUUID();
  const owner = await readOwner(bucket);
  if (known?.restored === true && owner !== undefined && owner.id !== id)
    throw serverFaults.BUCKET_TAKEN(bucket.name, owner.host);
  const write = (restored: boolean) => writeBucketFile(root, { bucket: name, id, restored });
  if (known?.restored !== true) {
    await write(false);
    await bucket.put("owner.json", JSON.stringify({ id, host: hostname() } satisfies Owner));
    const records = await readRecords(bucket, log);
    index.restore(records);
    await write(true);
    if (owner !== undefined)
      log.info("bucket taken over", { bucket: bucket.name, from: owner.host, records: records.length });
  }
  let checkedMs = now();
  const requireOwn = async () => {
    if (now() - checkedMs < ownedMs) return;
    const is = await readOwner(bucket);
    if (is !== undefined && is.id !== id) throw serverFaults.BUCKET_TAKEN(bucket.name, is.host);
    checkedMs = now();
  };
  index.noteChanges();
  const records = new IndexRecords(bucket, { index, requireOwn });
  // What a crash left unwritten.
  await records.settle();
  const storage = await S3BlobStorage.open(bucket, { uploads, requireOwn });
  const resources = opened.move();
  return { storage, records, [Symbol.dispose]: () => void resources.disposeAsync() };
}

async function readOwner(bucket: S3Bucket): Promise<Owner | undefined> {
  const text = await bucket.get("owner.json");
  return text === undefined ? undefined : (JSON.parse(text) as Owner);
}
