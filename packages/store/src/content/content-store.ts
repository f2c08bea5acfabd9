import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, KeyedMutex, syncFolder } from "@hawser/base";
import { type Digest, digestAlgorithm, digestHex, digestOf, isDigest, parseDigest } from "@hawser/oci";
import { diskFault } from "../disk-fault.ts";
import { storeFaults } from "../faults.ts";
import type { StorePaths } from "../paths.ts";
import { type BlobArrival, type BlobOrigin, IncomingBlob } from "./incoming-blob.ts";
import { type Pieces, writeFile } from "./write-file.ts";

export interface BlobInfo {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export interface IngestOptions {
  /** What the content must be; checked before it gets a name. */
  readonly expected?: { readonly digest?: Digest; readonly sizeBytes?: number };
  /** Refuse content longer than this. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** Content whose digest is known and which has no name yet: `commit` gives it one, disposing forgets it. */
export interface StagedBlob extends BlobInfo, AsyncDisposable {
  /** The content, until disposal. */
  open(): Promise<FileHandle>;
  /** Name it by its digest, durably. A second call, or content that is there already, is fine. */
  commit(): Promise<void>;
  /** It was hashed as it was written, just now: what is read from its file need not be again. */
  readonly isFresh?: true;
  /** It still comes: what `digest` and `sizeBytes` say is what somebody promised. */
  readonly arrival?: BlobArrival;
}

/**
 * Blobs by digest: immutable, whole, checked before they get their name. Nothing is ever read through a digest that it
 * was not checked against. What no image refers to is removed when the store is opened.
 */
export class ContentStore {
  readonly #paths: StorePaths;
  readonly #busy = new KeyedMutex();
  /** What is on its way, so that it is fetched once for all who want it. */
  readonly #incoming = new Map<Digest, IncomingBlob>();

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  async has(digest: Digest): Promise<boolean> {
    try {
      await stat(this.#paths.blob(digest));
      return true;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** @throws {Fault} `not-found` */
  async get(digest: Digest): Promise<BlobInfo> {
    return await this.#named(digest, async (path) => ({ digest, sizeBytes: (await stat(path)).size }));
  }

  /** As `open`, all of it, checked again: what is wrong comes, and then the fault. @throws {Fault} `not-found`, `data-loss` */
  async *openChecked(digest: Digest): AsyncGenerator<Buffer, void, undefined> {
    const hash = createHash(digestAlgorithm(digest));
    for await (const chunk of this.open(digest)) {
      hash.update(chunk);
      yield chunk;
    }
    if (hash.digest("hex") !== digestHex(digest)) throw storeFaults.BLOB_DAMAGED(digest);
  }

  /** The bytes, in chunks of up to 1 MiB, from `start` up to `end`; default: all. @throws {Fault} `not-found` */
  async *open(
    digest: Digest,
    options: { readonly start?: number; readonly end?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    const { start = 0, end, signal } = options;
    const file = await this.openFile(digest);
    if (end !== undefined && end <= start) return await file.close();
    yield* createReadStream("", {
      fd: file,
      start,
      ...(end !== undefined && { end: end - 1 }),
      highWaterMark: 1 << 20,
      ...(signal && { signal }),
    });
  }

  /** The file of a blob; the caller closes it. @throws {Fault} `not-found` */
  async openFile(digest: Digest): Promise<FileHandle> {
    return await this.#named(digest, (path) => open(path, "r"));
  }

  /** All of a small blob, checked again. @throws {Fault} `not-found`, `data-loss` when it is damaged. */
  async read(digest: Digest): Promise<Buffer> {
    const data = await this.#named(digest, (path) => readFile(path));
    if (digestOf(data, digestAlgorithm(digest)) !== digest) throw storeFaults.BLOB_DAMAGED(digest);
    return data;
  }

  /**
   * Keep the content of `stream`; durable when it returns.
   *
   * @throws {Fault} `data-loss` when it is not what `expected` says, `invalid-argument` when it is longer than
   * `maxBytes`, `resource-exhausted` when the disk is full. Nothing stays behind.
   */
  async ingest(stream: Pieces, options: IngestOptions = {}): Promise<BlobInfo> {
    await using staged = await this.stage(stream, options);
    await staged.commit();
    return { digest: staged.digest, sizeBytes: staged.sizeBytes };
  }

  /** As `ingest`, without giving it a name yet. */
  async stage(stream: Pieces, options: IngestOptions = {}): Promise<StagedBlob> {
    const path = this.#paths.ingestedBlob(randomUUID());
    const { expected, maxBytes, signal } = options;
    const algorithm = expected?.digest === undefined ? "sha256" : digestAlgorithm(expected.digest);
    const hash = createHash(algorithm);
    let sizeBytes = 0;
    try {
      const file = await open(path, "wx", 0o600);
      try {
        await writeFile(file, stream, {
          take(chunk) {
            signal?.throwIfAborted();
            sizeBytes += chunk.length;
            if (maxBytes !== undefined && sizeBytes > maxBytes)
              throw storeFaults.BLOB_TOO_LARGE("the content", maxBytes);
            if (expected?.sizeBytes !== undefined && sizeBytes > expected.sizeBytes) {
              throw storeFaults.BLOB_SIZE_MISMATCH(expected.sizeBytes, sizeBytes);
            }
            hash.update(chunk);
          },
        });
      } finally {
        await file.close();
      }
      const digest = parseDigest(`${algorithm}:${hash.digest("hex")}`);
      if (expected?.sizeBytes !== undefined && sizeBytes !== expected.sizeBytes) {
        throw storeFaults.BLOB_SIZE_MISMATCH(expected.sizeBytes, sizeBytes);
      }
      if (expected?.digest !== undefined && digest !== expected.digest) {
        throw storeFaults.BLOB_DIGEST_MISMATCH(expected.digest, digest);
      }
      return { ...this.#staged(path, { digest, sizeBytes }), isFresh: true };
    } catch (error) {
      await rm(path, { force: true });
      throw diskFault(error, this.#paths.root);
    }
  }

  /**
   * Begin to fetch a blob, or wait along for one that is being fetched already. It can be read while it comes; it can be
   * committed once it was checked. Ends when everybody who waited has disposed of it.
   *
   * @throws {Fault} `resource-exhausted` when the disk is full; what goes wrong later is told by `arrival`
   */
  async receive(
    source: BlobOrigin,
    options: { readonly onProgress?: (arrivedBytes: number) => void } = {},
  ): Promise<StagedBlob & { readonly arrival: BlobArrival }> {
    const { digest, sizeBytes } = source;
    const known = this.#incoming.get(digest);
    if (known?.sizeBytes === sizeBytes) return known.join({ isFirst: false, ...options });
    const path = this.#paths.ingestedBlob(randomUUID());
    const incoming = new IncomingBlob({
      source,
      path,
      stage: (synced) => this.#staged(path, { digest, sizeBytes }, synced),
      faultOf: (error) => diskFault(error, this.#paths.root),
      onEnd: () => {
        if (this.#incoming.get(digest) === incoming) this.#incoming.delete(digest);
      },
    });
    this.#incoming.set(digest, incoming);
    return incoming.join({ isFirst: true, ...options });
  }

  /** Forget a blob, unless `isNeeded` when its turn comes. Nothing there is fine. */
  async remove(digest: Digest, isNeeded: () => boolean = () => false): Promise<void> {
    await this.#busy.run(digest, async () => {
      if (!isNeeded()) await rm(this.#paths.blob(digest), { force: true });
    });
  }

  /** Every blob that has a name. */
  async list(): Promise<readonly Digest[]> {
    const found: Digest[] = [];
    for (const algorithm of ["sha256", "sha512"]) {
      for (const hex of await namesIn(join(this.#paths.content, algorithm))) {
        const digest = `${algorithm}:${hex}`;
        if (isDigest(digest)) found.push(digest);
      }
    }
    return found;
  }

  /** @param synced its bytes are on the disk then */
  #staged(temporary: string, info: BlobInfo, synced = () => syncFile(temporary)): StagedBlob {
    const named = this.#paths.blob(info.digest);
    let path = temporary;
    return {
      ...info,
      async open() {
        try {
          return await open(path, "r");
        } catch (error) {
          if (errnoOf(error) !== "ENOENT") throw error;
          return await open(named, "r"); // it is being named
        }
      },
      commit: async () => {
        if (path === named) return;
        try {
          await this.#busy.run(info.digest, async () => {
            await synced();
            await mkdir(dirname(named), { recursive: true, mode: 0o700 });
            await rename(path, named);
            path = named;
            await syncFolder(dirname(named));
          });
        } catch (error) {
          throw diskFault(error, this.#paths.root);
        }
      },
      async [Symbol.asyncDispose]() {
        if (path !== named) await rm(temporary, { force: true });
      },
    };
  }

  async #named<T>(digest: Digest, use: (path: string) => Promise<T>): Promise<T> {
    try {
      return await use(this.#paths.blob(digest));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") throw storeFaults.BLOB_NOT_FOUND(digest).because(error);
      throw diskFault(error, this.#paths.root);
    }
  }
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, "r");
  await file.sync();
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}
