import { type FileHandle, open } from "node:fs/promises";
import type { Digest } from "@hawser/oci";
import { storeFaults } from "../faults.ts";
import type { BlobInfo, StagedBlob } from "./content-store.ts";
import { writeFile } from "./write-file.ts";

/** Where a blob can be had. */
export interface BlobOrigin extends BlobInfo {
  /** The bytes, from the beginning. Ends soon after `signal`. */
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** A blob while it comes. */
export interface BlobArrival {
  /** Bytes that can be read from its file. */
  readonly arrivedBytes: number;
  /** Aborts with a fault when no more will come. */
  readonly broken: AbortSignal;
  /** Settles when all of it can be read. Rejects when no more will come. */
  readonly complete: Promise<void>;
  /** Whether this wait began the fetching: when what others began ends badly, one's own try may end well. */
  readonly isFirst: boolean;
  /** Be told whenever more can be read. */
  onArrive(listener: (arrivedBytes: number) => void): Disposable;
  /** Tell what all of it hashes to; from then on it can be committed. @throws {Fault} `data-loss` when it is another blob */
  verify(digest: Digest): void;
}

/** One blob that is being fetched, for however many wait for it. */
export class IncomingBlob {
  readonly sizeBytes: number;
  readonly #digest: Digest;
  readonly #path: string;
  readonly #staged: StagedBlob;
  readonly #onEnd: () => void;
  readonly #stop = new AbortController();
  readonly #broken = new AbortController();
  readonly #complete: Promise<void>;
  readonly #opened: Promise<FileHandle>;
  /** What has come is on the disk. Begun with the last byte, while others read it. */
  #synced: Promise<void> = Promise.resolve();
  readonly #listeners = new Set<(bytes: number) => void>();
  readonly #watchers = new Set<(bytes: number) => void>();
  #arrivedBytes = 0;
  #receivedBytes = 0;
  #waiting = 0;
  #verified = false;

  constructor(parts: {
    readonly source: BlobOrigin;
    /** A file that does not exist yet. */
    readonly path: string;
    /** The same file once it is whole, which is on the disk after `synced`. */
    readonly stage: (synced: () => Promise<void>) => StagedBlob;
    readonly faultOf: (error: unknown) => unknown;
    /** Nobody may join any more. */
    readonly onEnd: () => void;
  }) {
    this.#digest = parts.source.digest;
    this.sizeBytes = parts.source.sizeBytes;
    this.#path = parts.path;
    this.#staged = parts.stage(() => this.#synced);
    this.#onEnd = parts.onEnd;
    this.#opened = open(this.#path, "wx", 0o600);
    this.#complete = this.#fetch(parts.source).catch((error: unknown) => {
      const fault = parts.faultOf(error);
      parts.onEnd();
      this.#broken.abort(fault);
      throw fault;
    });
    this.#complete.catch(() => {}); // whoever waits is told
  }

  /** One more that waits; who disposes of the result waits no longer. */
  join(options: {
    readonly isFirst: boolean;
    /** Bytes that have come, also before they can be read. */
    readonly onProgress?: (bytes: number) => void;
  }): StagedBlob & { readonly arrival: BlobArrival } {
    const { isFirst, onProgress } = options;
    this.#waiting++;
    if (onProgress !== undefined) {
      this.#watchers.add(onProgress);
      if (this.#receivedBytes > 0) onProgress(this.#receivedBytes);
    }
    const arrivedBytes = () => this.#arrivedBytes;
    let isDone = false;
    return {
      digest: this.#digest,
      sizeBytes: this.sizeBytes,
      open: async () => {
        await this.#opened;
        return await this.#staged.open();
      },
      commit: async () => {
        if (!this.#verified)
          throw new Error("a blob that comes from elsewhere is committed once it was checked");
        await this.#staged.commit();
      },
      arrival: {
        get arrivedBytes() {
          return arrivedBytes();
        },
        broken: this.#broken.signal,
        complete: this.#complete,
        isFirst,
        onArrive: (listener) => {
          this.#listeners.add(listener);
          return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
        },
        verify: (digest) => {
          if (digest !== this.#digest) throw storeFaults.BLOB_DIGEST_MISMATCH(this.#digest, digest);
          this.#verified = true;
        },
      },
      [Symbol.asyncDispose]: async () => {
        if (isDone) return;
        isDone = true;
        if (onProgress !== undefined) this.#watchers.delete(onProgress);
        if (--this.#waiting === 0) await this.#end();
      },
    };
  }

  async #fetch(source: BlobOrigin): Promise<void> {
    const file = await this.#opened;
    try {
      await this.#write(file, source);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#synced = syncAndClose(file);
    this.#synced.catch(() => {}); // whoever commits is told
  }

  async #write(file: FileHandle, source: BlobOrigin): Promise<void> {
    await writeFile(file, source.open(this.#stop.signal), {
      take: (chunk) => {
        this.#stop.signal.throwIfAborted();
        this.#receivedBytes += chunk.length;
        if (this.#receivedBytes > this.sizeBytes) {
          throw storeFaults.BLOB_SIZE_MISMATCH(this.sizeBytes, this.#receivedBytes);
        }
        for (const watch of this.#watchers) watch(this.#receivedBytes);
      },
      onWritten: (bytes) => {
        this.#arrivedBytes = bytes;
        for (const listen of this.#listeners) listen(bytes);
      },
    });
    if (this.#receivedBytes !== this.sizeBytes) {
      throw storeFaults.BLOB_SIZE_MISMATCH(this.sizeBytes, this.#receivedBytes);
    }
  }

  async #end(): Promise<void> {
    this.#onEnd();
    this.#stop.abort();
    await this.#complete.catch(() => {});
    await this.#synced.catch(() => {});
    await this.#staged[Symbol.asyncDispose]();
  }
}

async function syncAndClose(file: FileHandle): Promise<void> {
  await using closing = file;
  await closing.sync();
}
