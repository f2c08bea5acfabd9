import { type Digest, digestAlgorithm, digestHex, isDigest } from "@hawser/oci";
import type { BlobStorage } from "./blob-storage.ts";
import { serverFaults } from "./faults.ts";
import type { FileUploads } from "./file-uploads.ts";
import type { S3Bucket } from "./s3-bucket.ts";

/** Sizes of so many blobs are kept: a blob never changes, and nobody else removes one. */
const maxKnownSizes = 100_000;

interface S3BlobStorageParts {
  readonly uploads: FileUploads;
  /** Throws when the bucket is another's now. */
  readonly requireOwn: () => Promise<void>;
}

/**
 * Blobs as objects of a bucket, `blobs/<algorithm>/<first 2 of hex>/<hex>`. Uploads are files of this machine until they are checked:
 * nothing comes into the bucket whose digest is not right, and a registry that dies leaves there at most parts, which the next
 * start gives up.
 */
export class S3BlobStorage implements BlobStorage {
  readonly uploads: FileUploads;
  readonly #bucket: S3Bucket;
  readonly #requireOwn: () => Promise<void>;
  readonly #sizes = new Map<Digest, number>();

  private constructor(bucket: S3Bucket, parts: S3BlobStorageParts) {
    this.#bucket = bucket;
    this.uploads = parts.uploads;
    this.#requireOwn = parts.requireOwn;
  }

  /** The bucket is the caller's alone: parts that are in it are nobody's. */
  static async open(bucket: S3Bucket, parts: S3BlobStorageParts): Promise<S3BlobStorage> {
    await bucket.abortUploads("blobs/");
    return new S3BlobStorage(bucket, parts);
  }

  async stat(digest: Digest): Promise<number | undefined> {
    const known = this.#sizes.get(digest);
    if (known !== undefined) return known;
    const sizeBytes = await this.#bucket.stat(keyOf(digest));
    if (sizeBytes !== undefined) this.#know(digest, sizeBytes);
    return sizeBytes;
  }

  read(digest: Digest, range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array> {
    return this.#bucket.read(keyOf(digest), { range, missing: () => serverFaults.BLOB_UNKNOWN(digest) });
  }

  async write(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#bucket.put(keyOf(digest), bytes);
    this.#know(digest, bytes.length);
  }

  async remove(digest: Digest): Promise<void> {
    await this.#requireOwn();
    this.#sizes.delete(digest);
    await this.#bucket.remove(keyOf(digest));
  }

  async *list() {
    for await (const { key, sizeBytes, storedMs } of this.#bucket.list("blobs/")) {
      const digest = digestOfKey(key);
      if (digest !== undefined) yield { digest, sizeBytes, storedMs };
    }
  }

  async finishUpload(id: string, digest: Digest): Promise<void> {
    try {
      const file = await this.uploads.check(id, digest);
      await this.#bucket.putFile(keyOf(digest), file);
      this.#know(digest, file.sizeBytes);
    } finally {
      await this.uploads.cancel(id);
    }
  }

  #know(digest: Digest, sizeBytes: number): void {
    this.#sizes.set(digest, sizeBytes);
    const [oldest] = this.#sizes.keys();
    if (this.#sizes.size > maxKnownSizes && oldest !== undefined) this.#sizes.delete(oldest);
  }
}

function keyOf(digest: Digest): string {
  const hex = digestHex(digest);
  return `blobs/${digestAlgorithm(digest)}/${hex.slice(0, 2)}/${hex}`;
}

function digestOfKey(key: string): Digest | undefined {
  const [, algorithm, prefix, hex = "", ...more] = key.split("/");
  const digest = `${algorithm}:${hex}`;
  return more.length === 0 && prefix === hex.slice(0, 2) && isDigest(digest) ? digest : undefined;
}
