import { openTempDir } from "@hawser/base/testing";
import { ChunkReader } from "../chunk-reader.ts";
import { FileUploads } from "../file-uploads.ts";
import { S3BlobStorage } from "../s3-blob-storage.ts";
import { S3Bucket, type S3Options } from "../s3-bucket.ts";
import type { ContractStorage } from "./blob-storage-contract.ts";

/** Storage in a bucket that is there already. */
export async function openS3ContractStorage(options: S3Options): Promise<ContractStorage> {
  await using resources = new AsyncDisposableStack();
  const dir = resources.use(await openTempDir());
  const bucket = resources.use(new S3Bucket(options));
  const reopen = async () =>
    await S3BlobStorage.open(bucket, {
      uploads: await FileUploads.open(dir.path, new ChunkReader()),
      requireOwn: async () => {},
    });
  const storage = await reopen();
  const moved = resources.move();
  return { storage, reopen, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}
