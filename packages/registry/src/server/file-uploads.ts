import { createHash, type Hash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, writeFileAtomic } from "@hawser/base";
import { type Digest, type DigestAlgorithm, digestAlgorithm, digestHex } from "@hawser/oci";
import type { BlobUploads, Upload } from "./blob-storage.ts";
import type { ChunkReader } from "./chunk-reader.ts";
import { serverFaults } from "./faults.ts";

/** What a running registry knows of an upload beside its file. */
interface LiveUpload {
  readonly repository: string;
  readonly algorithm: DigestAlgorithm;
  /** Of all bytes so far; absent when they came before the registry started. */
  readonly hash?: Hash;
  sizeBytes: number;
}

/**
 * Uploads as files of the folder `uploads` of a registry.
 *
 *     <uuid>             bytes on their way
 *     <uuid>.json        whose they are: `{ "repository", "algorithm" }`
 *     <anything>.tmp     a file on its way to its name; a crash leaves it, the next start removes it
 */
export class FileUploads implements BlobUploads {
  readonly folder: string;
  readonly #reader: ChunkReader;
  readonly #live = new Map<string, LiveUpload>();

  private constructor(folder: string, reader: ChunkReader) {
    this.folder = folder;
    this.#reader = reader;
  }

  /** The folder is the caller's alone: what is half there is nobody's. */
  static async open(root: string, reader: ChunkReader): Promise<FileUploads> {
    const folder = join(root, "uploads");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      if (name.endsWith(".tmp")) await rm(join(folder, name), { force: true });
    }
    return new FileUploads(folder, reader);
  }

  async create(repository: string, { algorithm }: { readonly algorithm: DigestAlgorithm }): Promise<Upload> {
    const id = randomUUID();
    await writeFileAtomic(this.#path(`${id}.json`), JSON.stringify({ repository, algorithm }), {
      durable: false,
    });
    await (await open(this.#path(id), "wx", 0o600)).close();
    this.#live.set(id, { repository, algorithm, hash: createHash(algorithm), sizeBytes: 0 });
    return { id, repository, sizeBytes: 0 };
  }

  async find(id: string): Promise<Upload | undefined> {
    const live = await this.#findLive(id);
    return live && { id, repository: live.repository, sizeBytes: live.sizeBytes };
  }

  async append(
    id: string,
    bytes: AsyncIterable<Uint8Array>,
    { maxBytes }: { readonly maxBytes: number },
  ): Promise<Upload> {
    const live = await this.#requireLive(id);
    await using file = await open(this.#path(id), "a");
    for await (const chunk of bytes) {
      if (live.sizeBytes + chunk.length > maxBytes) throw serverFaults.UPLOAD_TOO_LARGE(maxBytes);
      await file.writeFile(chunk);
      live.hash?.update(chunk);
      live.sizeBytes += chunk.length;
    }
    return { id, repository: live.repository, sizeBytes: live.sizeBytes };
  }

  read(id: string, range: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array> {
    return this.#reader.read(this.#path(id), range);
  }

  /**
   * The file of an upload whose bytes hash to `digest`, and how many they are.
   *
   * @throws {Fault} `invalid-argument` when they do not; `not-found`
   */
  async check(id: string, digest: Digest): Promise<{ readonly path: string; readonly sizeBytes: number }> {
    const live = await this.#requireLive(id);
    const path = this.#path(id);
    const algorithm = digestAlgorithm(digest);
    const known = live.hash !== undefined && live.algorithm === algorithm ? live.hash : undefined;
    const hex = known === undefined ? await hashFile(path, algorithm) : known.digest("hex");
    if (hex !== digestHex(digest)) throw serverFaults.DIGEST_INVALID(`${digest}, it is ${algorithm}:${hex}`);
    return { path, sizeBytes: live.sizeBytes };
  }

  async cancel(id: string): Promise<void> {
    this.#live.delete(id);
    await Promise.all([rm(this.#path(id), { force: true }), rm(this.#path(`${id}.json`), { force: true })]);
  }

  async listIdle(beforeMs: number): Promise<readonly string[]> {
    const lastMs = new Map<string, number>();
    for (const name of await readdir(this.folder)) {
      if (name.endsWith(".tmp")) continue;
      const stats = await stat(this.#path(name)).catch(() => undefined);
      // Of the two files of an upload only one is added to.
      const id = name.replace(/\.json$/, "");
      if (stats !== undefined) lastMs.set(id, Math.max(lastMs.get(id) ?? 0, stats.mtimeMs));
    }
    return [...lastMs].flatMap(([id, ms]) => (ms < beforeMs ? [id] : []));
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
        await readFile(this.#path(`${id}.json`), "utf8"),
      ) as LiveUpload;
      const { size } = await stat(this.#path(id));
      const live = { repository, algorithm, sizeBytes: size };
      this.#live.set(id, live);
      return live;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  #path(name: string): string {
    return join(this.folder, name);
  }
}

async function hashFile(path: string, algorithm: DigestAlgorithm): Promise<string> {
  const hash = createHash(algorithm);
  const bytes: AsyncIterable<Uint8Array> = createReadStream(path, { highWaterMark: 1 << 20 });
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest("hex");
}
