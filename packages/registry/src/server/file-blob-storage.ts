import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, syncFolder, writeFileAtomic } from "@hawser/base";
import { type Digest, digestAlgorithm, digestHex, isDigest } from "@hawser/oci";
import type { BlobStorage } from "./blob-storage.ts";
import type { ChunkReader } from "./chunk-reader.ts";
import { serverFaults } from "./faults.ts";
import type { FileUploads } from "./file-uploads.ts";

interface FileBlobStorageParts {
  readonly uploads: FileUploads;
  readonly reader: ChunkReader;
}

/**
 * Blobs as files, `blobs/<algorithm>/<first 2 of hex>/<hex>`, beside `FileUploads`. Digests and ids are parsed before they come here:
 * no text of a client becomes a path.
 */
export class FileBlobStorage implements BlobStorage {
  readonly uploads: FileUploads;
  readonly #root: string;
  readonly #reader: ChunkReader;
  readonly #folders = new Set<string>();

  private constructor(root: string, parts: FileBlobStorageParts) {
    this.#root = root;
    this.uploads = parts.uploads;
    this.#reader = parts.reader;
  }

  static async open(root: string, parts: FileBlobStorageParts): Promise<FileBlobStorage> {
    await mkdir(join(root, "blobs"), { recursive: true, mode: 0o700 });
    return new FileBlobStorage(root, parts);
  }

  async stat(digest: Digest): Promise<number | undefined> {
    try {
      return (await stat(this.#blobPath(digest))).size;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  async *read(
    digest: Digest,
    range?: { readonly start: number; readonly end: number },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#reader.read(this.#blobPath(digest), range);
    } catch (error) {
      throw unknownIfGone(error, digest);
    }
  }

  async openFile(digest: Digest): Promise<FileHandle> {
    try {
      return await open(this.#blobPath(digest), "r");
    } catch (error) {
      throw unknownIfGone(error, digest);
    }
  }

  async write(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#makeFolder(digest);
    await writeFileAtomic(this.#blobPath(digest), bytes, { temporaryFolder: this.uploads.folder });
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#blobPath(digest), { force: true });
  }

  async *list() {
    const blobs = join(this.#root, "blobs");
    for (const algorithm of await readdir(blobs)) {
      for (const prefix of await readdir(join(blobs, algorithm))) {
        for (const hex of await readdir(join(blobs, algorithm, prefix))) {
          const digest = `${algorithm}:${hex}`;
          if (!isDigest(digest)) continue;
          const stats = await stat(this.#blobPath(digest)).catch(() => undefined);
          if (stats !== undefined) yield { digest, sizeBytes: stats.size, storedMs: stats.mtimeMs };
        }
      }
    }
  }

  async finishUpload(id: string, digest: Digest): Promise<void> {
    try {
      const { path } = await this.uploads.check(id, digest);
      await this.#makeFolder(digest);
      const file = await open(path, "r+");
      try {
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(path, this.#blobPath(digest));
      await syncFolder(join(this.#blobPath(digest), ".."));
    } finally {
      await this.uploads.cancel(id);
    }
  }

  async #makeFolder(digest: Digest): Promise<void> {
    const folder = join(this.#blobPath(digest), "..");
    if (this.#folders.has(folder)) return;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await syncFolder(join(folder, ".."));
    this.#folders.add(folder);
  }

  #blobPath(digest: Digest): string {
    const hex = digestHex(digest);
    return join(this.#root, "blobs", digestAlgorithm(digest), hex.slice(0, 2), hex);
  }
}

function unknownIfGone(error: unknown, digest: Digest): unknown {
  return errnoOf(error) === "ENOENT" ? serverFaults.BLOB_UNKNOWN(digest) : error;
}
