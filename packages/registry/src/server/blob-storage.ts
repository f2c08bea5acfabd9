import type { FileHandle } from "node:fs/promises";
import type { Digest, DigestAlgorithm } from "@hawser/oci";

/** Bytes that are on their way in. */
export interface Upload {
  readonly id: string;
  readonly repository: string;
  /** What has been taken in so far. */
  readonly sizeBytes: number;
}

/** Uploads live through a restart. One caller at a time works on one of them. */
export interface BlobUploads {
  create(repository: string, options: { readonly algorithm: DigestAlgorithm }): Promise<Upload>;
  find(id: string): Promise<Upload | undefined>;
  /**
   * Add bytes at the end. What came before a failure stays.
   *
   * @throws {Fault} `not-found`; `resource-exhausted` beyond `maxBytes` in all; what the bytes throw
   */
  append(
    id: string,
    bytes: AsyncIterable<Uint8Array>,
    options: { readonly maxBytes: number },
  ): Promise<Upload>;
  /** Part of what has come, as `BlobStorage.read` gives it. Fails with `ENOENT` when it is no upload any more. */
  read(id: string, range: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
  /** No such upload is fine. */
  cancel(id: string): Promise<void>;
  /** Uploads that nobody has added to since a time. */
  listIdle(beforeMs: number): Promise<readonly string[]>;
}

/**
 * Where a registry's bytes are. A *blob* is immutable and named by its digest; an *upload* grows until it is finished, which makes
 * it a blob, or cancelled.
 */
export interface BlobStorage {
  readonly uploads: BlobUploads;
  /** Size; `undefined`: not there. */
  stat(digest: Digest): Promise<number | undefined>;
  /**
   * The bytes from `start` to `end`, both included, or all. A chunk is good until the next one is asked for.
   *
   * @throws {Fault} `not-found`
   */
  read(digest: Digest, range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
  /** Where blobs are files of this machine: the file, the caller's to close. @throws {Fault} `not-found` */
  openFile?(digest: Digest): Promise<FileHandle>;
  /** Store bytes that are at hand and hash to `digest`. */
  write(digest: Digest, bytes: Uint8Array): Promise<void>;
  /** No such blob is fine. */
  remove(digest: Digest): Promise<void>;
  list(): AsyncIterable<{ readonly digest: Digest; readonly sizeBytes: number; readonly storedMs: number }>;
  /**
   * Make an upload a blob, stored for good when this returns. The upload is gone, also after a failure.
   *
   * @throws {Fault} `invalid-argument` when its bytes do not hash to `digest`; `not-found`
   */
  finishUpload(id: string, digest: Digest): Promise<void>;
}
