import { createHash, type Hash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, syncFolder, writeFileAtomic } from "@hawser/base";
import { type Digest, type DigestAlgorithm, digestAlgorithm, digestHex, isDigest } from "@hawser/oci";
import type { BlobStorage, Upload } from "./blob-storage.ts";
import { serverFaults } from "./faults.ts";

/** A few who read get large chunks, which cost less; many get small ones, so that all buffers together stay small. */
const largeChunkBytes = 1 << 20;
const smallChunkBytes = 64 << 10;
const fewReaders = 32;

/** What a running registry knows of an upload beside its file. */
interface LiveUpload {
  readonly repository: string;
  readonly algorithm: DigestAlgorithm;
  /** Of all bytes so far; absent when they came before the registry started. */
  readonly hash?: Hash;
  sizeBytes: number;
}

/**
 * Blobs and uploads as files.
 *
 *     blobs/<algorithm>/<first 2 of hex>/<hex>   blobs
 *     uploads/<uuid>                             bytes on their way
 *     uploads/<uuid>.json                        whose they are: `{ "repository", "algorithm" }`
 *     uploads/<anything>.tmp                     a file on its way to its name; a crash leaves it, the next start removes it
 *
 * Digests and ids are parsed before they come here: no text of a client becomes a path.
 */
export class FileBlobStorage implements BlobStorage {
  readonly #root: string;
  readonly #live = new Map<string, LiveUpload>();
  readonly #folders = new Set<string>();
  #readers = 0;

  private constructor(root: string) {
    this.#root = root;
  }

  /** The folder is the caller's alone: what is half there is nobody's. */
  static async open(root: string): Promise<FileBlobStorage> {
    const uploads = join(root, "uploads");
    await mkdir(uploads, { recursive: true, mode: 0o700 });
    for (const name of await readdir(uploads)) {
      if (name.endsWith(".tmp")) await rm(join(uploads, name), { force: true });
    }
    await mkdir(join(root, "blobs"), { recursive: true, mode: 0o700 });
    return new FileBlobStorage(root);
  }

  async stat(digest: Digest): Promise<number | undefined> {
    try {
      return (await stat(this.#blobPath(digest))).size;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  read(digest: Digest, range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array> {
    return this.#readFile(this.#blobPath(digest), range);
  }

  async write(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#makeFolder(digest);
    await writeFileAtomic(this.#blobPath(digest), bytes, { temporaryFolder: join(this.#root, "uploads") });
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

  async createUpload(
    repository: string,
    { algorithm }: { readonly algorithm: DigestAlgorithm },
  ): Promise<Upload> {
    const id = randomUUID();
    await writeFileAtomic(this.#uploadPath(`${id}.json`), JSON.stringify({ repository, algorithm }), {
      durable: false,
    });
    await (await open(this.#uploadPath(id), "wx", 0o600)).close();
    this.#live.set(id, { repository, algorithm, hash: createHash(algorithm), sizeBytes: 0 });
    return { id, repository, sizeBytes: 0 };
  }

  async findUpload(id: string): Promise<Upload | undefined> {
    const live = await this.#findLive(id);
    return live && { id, repository: live.repository, sizeBytes: live.sizeBytes };
  }

  async appendUpload(
    id: string,
    bytes: AsyncIterable<Uint8Array>,
    { maxBytes }: { readonly maxBytes: number },
  ): Promise<Upload> {
    const live = await this.#requireLive(id);
    await using file = await open(this.#uploadPath(id), "a");
    for await (const chunk of bytes) {
      if (live.sizeBytes + chunk.length > maxBytes) throw serverFaults.UPLOAD_TOO_LARGE(maxBytes);
      await file.writeFile(chunk);
      live.hash?.update(chunk);
      live.sizeBytes += chunk.length;
    }
    return { id, repository: live.repository, sizeBytes: live.sizeBytes };
  }

  readUpload(id: string, range: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array> {
    return this.#readFile(this.#uploadPath(id), range);
  }

  async finishUpload(id: string, digest: Digest): Promise<void> {
    const live = await this.#requireLive(id);
    const path = this.#uploadPath(id);
    try {
      const algorithm = digestAlgorithm(digest);
      const known = live.hash !== undefined && live.algorithm === algorithm ? live.hash : undefined;
      const hex = known === undefined ? await hashFile(path, algorithm) : known.digest("hex");
      if (hex !== digestHex(digest))
        throw serverFaults.DIGEST_INVALID(`${digest}, it is ${algorithm}:${hex}`);
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
      await this.cancelUpload(id);
    }
  }

  async cancelUpload(id: string): Promise<void> {
    this.#live.delete(id);
    await Promise.all([
      rm(this.#uploadPath(id), { force: true }),
      rm(this.#uploadPath(`${id}.json`), { force: true }),
    ]);
  }

  async listIdleUploads(beforeMs: number): Promise<readonly string[]> {
    const idle: string[] = [];
    for (const name of await readdir(join(this.#root, "uploads"))) {
      if (name.endsWith(".tmp")) continue;
      const stats = await stat(this.#uploadPath(name)).catch(() => undefined);
      if (stats !== undefined && stats.mtimeMs < beforeMs) idle.push(name.replace(/\.json$/, ""));
    }
    return [...new Set(idle)];
  }

  /** Into one buffer, again and again. */
  async *#readFile(
    path: string,
    range: { readonly start: number; readonly end: number } | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    await using file = await open(path, "r");
    const end = range === undefined ? (await file.stat()).size : range.end + 1;
    let position = range?.start ?? 0;
    const chunkBytes = this.#readers < fewReaders ? largeChunkBytes : smallChunkBytes;
    const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(chunkBytes, end - position)));
    this.#readers += 1;
    try {
      while (position < end) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position);
        if (bytesRead === 0) return;
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      this.#readers -= 1;
    }
  }

  async #requireLive(id: string): Promise<LiveUpload> {
    const live = await this.#findLive(id);
    if (live === undefined) throw serverFaults.BLOB_UPLOAD_UNKNOWN(id);
    return live;
  }

  async #findLive(id: string): Promise<LiveUpload | undefined> {
    const there = this.#live.get(id);
    if (there !== undefined) return there;
    try {
      const { repository, algorithm } = JSON.parse(
        await readFile(this.#uploadPath(`${id}.json`), "utf8"),
      ) as LiveUpload;
      const { size } = await stat(this.#uploadPath(id));
      const live = { repository, algorithm, sizeBytes: size };
      this.#live.set(id, live);
      return live;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
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

  #uploadPath(name: string): string {
    return join(this.#root, "uploads", name);
  }
}

async function hashFile(path: string, algorithm: DigestAlgorithm): Promise<string> {
  const hash = createHash(algorithm);
  const bytes: AsyncIterable<Uint8Array> = createReadStream(path, { highWaterMark: 1 << 20 });
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest("hex");
}
