import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { KeyedMutex } from "@hawser/base";
import {
  type Descriptor,
  type Digest,
  type DigestAlgorithm,
  digestAlgorithm,
  isIndexMediaType,
  mediaTypes,
  parseManifest,
} from "@hawser/oci";
import type { BlobStorage, Upload } from "./blob-storage.ts";
import { isDiskFull } from "./error-response.ts";
import { serverFaults } from "./faults.ts";
import { readManifest } from "./read-manifest.ts";
import type { Referrer, RegistryIndex, StoredManifest } from "./registry-index.ts";

export interface RegistryLimits {
  readonly manifestBytes: number;
  readonly uploadBytes: number;
}

export const defaultRegistryLimits: RegistryLimits = {
  manifestBytes: 8 << 20,
  uploadBytes: 256 * 2 ** 30,
};

/** An answer that a blob is there is not written down more often. */
const confirmedStepMs = 600_000;

/** A blob as it is given out. */
export interface BlobContent {
  readonly sizeBytes: number;
  /** Both ends included; without a range all. A chunk is good until the next one is asked for. */
  read(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
  /** Where it is a file: that, the caller's to close. @throws {Fault} `not-found` */
  readonly openFile?: () => Promise<FileHandle>;
}

/** A manifest that was pushed. */
export interface PushedManifest {
  readonly digest: Digest;
  readonly subject?: Digest;
}

/** What a registry does, without a word of HTTP. Names, tags and digests are parsed before they come here. */
export class RegistryService {
  readonly index: RegistryIndex;
  readonly storage: BlobStorage;
  readonly #records: { settle(): Promise<void> } | undefined;
  readonly #limits: RegistryLimits;
  readonly #takesSparse: boolean;
  readonly #uploads = new KeyedMutex();
  readonly #manifests = new RecentBytes(32 << 20);
  /** A blob becomes a repository's, or is collected: never both at once. */
  readonly #blobs = new KeyedMutex();

  constructor(parts: {
    readonly index: RegistryIndex;
    readonly storage: BlobStorage;
    /** Where the index is written down once more, before anyone is told of a change. */
    readonly records?: { settle(): Promise<void> };
    readonly limits?: RegistryLimits;
    /** Manifests whose blobs are elsewhere are taken, too. */
    readonly takesSparse?: boolean;
  }) {
    this.index = parts.index;
    this.storage = parts.storage;
    this.#records = parts.records;
    this.#limits = parts.limits ?? defaultRegistryLimits;
    this.#takesSparse = parts.takesSparse === true;
  }

  get limits(): RegistryLimits {
    return this.#limits;
  }

  /** Until all that has changed is kept for good. @throws {Fault} `unavailable` */
  async settle(): Promise<void> {
    await this.#records?.settle();
  }

  async hasBlob(repository: string, digest: Digest): Promise<boolean> {
    return (await this.#statBlob(repository, digest)) !== undefined;
  }

  /**
   * Whether a repository has a blob, asked by somebody who may be about to push what refers to it: it is as young as that from now on,
   * so that it is not collected before.
   *
   * @throws {Fault} `not-found`
   */
  async confirmBlob(repository: string, digest: Digest): Promise<BlobContent> {
    this.index.touchLink(repository, digest, { stepMs: confirmedStepMs });
    return await this.openBlob(repository, digest);
  }

  /** @throws {Fault} `not-found` */
  async openBlob(repository: string, digest: Digest): Promise<BlobContent> {
    const sizeBytes = await this.#statBlob(repository, digest);
    if (sizeBytes === undefined) throw serverFaults.BLOB_UNKNOWN(digest);
    const { storage } = this;
    return {
      sizeBytes,
      read: (range) => storage.read(digest, range),
      ...(storage.openFile && { openFile: storage.openFile.bind(storage, digest) }),
    };
  }

  async #statBlob(repository: string, digest: Digest): Promise<number | undefined> {
    const isKnown =
      this.index.hasBlob(repository, digest) || this.index.findManifest(repository, digest) !== undefined;
    return isKnown ? await this.storage.stat(digest) : undefined;
  }

  /** @throws {Fault} `not-found` */
  async removeBlob(repository: string, digest: Digest): Promise<void> {
    if (!this.index.unlinkBlob(repository, digest)) throw serverFaults.BLOB_UNKNOWN(digest);
    await this.settle();
  }

  /** Whether `repository` has the blob now, taken from one of `sources`. */
  async mountBlob(repository: string, digest: Digest, sources: readonly string[]): Promise<boolean> {
    const isMounted = await this.#blobs.run(digest, async () => {
      if (!sources.some((source) => this.index.hasBlob(source, digest))) return false;
      if ((await this.storage.stat(digest)) === undefined) return false;
      this.index.linkBlob(repository, digest);
      return true;
    });
    if (isMounted) await this.settle();
    return isMounted;
  }

  async beginUpload(repository: string, algorithm: DigestAlgorithm): Promise<Upload> {
    return await this.storage.uploads.create(repository, { algorithm });
  }

  /** @throws {Fault} `not-found` */
  async getUpload(repository: string, id: string): Promise<Upload> {
    const upload = await this.storage.uploads.find(id);
    if (upload === undefined || upload.repository !== repository) throw serverFaults.BLOB_UPLOAD_UNKNOWN(id);
    return upload;
  }

  /**
   * Add a chunk. @param chunk.start where it says that it begins
   *
   * @throws {Fault} `not-found`; `conflict` when that is not where the last one ended; `invalid-argument` when it is not as long as it
   *   says
   */
  async appendUpload(
    repository: string,
    id: string,
    chunk: {
      readonly bytes: AsyncIterable<Uint8Array>;
      readonly start?: number | undefined;
      readonly length?: number | undefined;
    },
  ): Promise<Upload> {
    return await this.#uploads.run(id, async () => {
      const before = await this.getUpload(repository, id);
      if (chunk.start !== undefined && chunk.start !== before.sizeBytes) {
        throw serverFaults.BLOB_UPLOAD_RANGE(chunk.start, before.sizeBytes);
      }
      const after = await this.storage.uploads
        .append(id, chunk.bytes, { maxBytes: this.#limits.uploadBytes })
        .catch(async (error: unknown) => {
          // Others need the space that it takes.
          if (isDiskFull(error)) await this.storage.uploads.cancel(id);
          throw error;
        });
      const came = after.sizeBytes - before.sizeBytes;
      if (chunk.length !== undefined && came !== chunk.length) {
        throw serverFaults.SIZE_INVALID(`${came} bytes came, ${chunk.length} were said`);
      }
      return after;
    });
  }

  /** @throws {Fault} `not-found`; `invalid-argument` when the bytes are others: the upload is gone then */
  async finishUpload(repository: string, id: string, digest: Digest): Promise<void> {
    await this.#uploads.run(id, async () => {
      await this.getUpload(repository, id);
      await this.#blobs.run(digest, async () => {
        await this.storage.finishUpload(id, digest);
        this.index.linkBlob(repository, digest);
      });
    });
    await this.settle();
  }

  /** @throws {Fault} `not-found` */
  async cancelUpload(repository: string, id: string): Promise<void> {
    await this.#uploads.run(id, async () => {
      await this.getUpload(repository, id);
      await this.storage.uploads.cancel(id);
    });
  }

  /** @throws {Fault} `not-found` */
  findManifest(
    repository: string,
    reference: { readonly tag: string } | { readonly digest: Digest },
  ): StoredManifest {
    const digest = "tag" in reference ? this.index.findTag(repository, reference.tag) : reference.digest;
    const manifest = digest && this.index.findManifest(repository, digest);
    if (manifest === undefined) {
      if (!this.index.hasRepository(repository)) throw serverFaults.NAME_UNKNOWN(repository);
      throw serverFaults.MANIFEST_UNKNOWN("tag" in reference ? reference.tag : reference.digest);
    }
    return manifest;
  }

  async readManifest({ digest }: StoredManifest): Promise<Uint8Array> {
    const there = this.#manifests.get(digest);
    if (there !== undefined) return there;
    const bytes = Buffer.concat(
      await Array.fromAsync(this.storage.read(digest), (chunk) => Buffer.from(chunk)),
    );
    this.#manifests.set(digest, bytes);
    return bytes;
  }

  /**
   * Take in a manifest. What it refers to must be there, but for manifests of an index, of which a registry may have some only.
   *
   * @param options.digest what its bytes must hash to
   * @throws {Fault} `invalid-argument`, `not-found` for a blob
   */
  async pushManifest(
    repository: string,
    bytes: Uint8Array,
    options: {
      readonly contentType: string;
      readonly digest?: Digest;
      readonly tags: readonly string[];
      /** Blobs come later. */
      readonly takesSparse?: boolean;
    },
  ): Promise<PushedManifest> {
    const { contentType, tags, takesSparse = this.#takesSparse } = options;
    const digest = options.digest ?? (`sha256:${hashOf(bytes, "sha256")}` as Digest);
    const algorithm = digestAlgorithm(digest);
    const is = `${algorithm}:${hashOf(bytes, algorithm)}`;
    if (is !== digest) throw serverFaults.DIGEST_INVALID(`${digest}, it is ${is}`);
    const facts = readManifest(bytes, contentType);
    for (const blob of takesSparse ? [] : facts.blobs) {
      if (!this.index.hasBlob(repository, blob)) throw serverFaults.MANIFEST_BLOB_UNKNOWN(blob);
    }
    await this.#blobs.run(digest, async () => {
      await this.storage.write(digest, bytes);
      this.index.putManifest(repository, { ...facts, digest, sizeBytes: bytes.length }, tags);
    });
    await this.settle();
    return { digest, ...(facts.subject && { subject: facts.subject }) };
  }

  /** @throws {Fault} `not-found` */
  async removeManifest(
    repository: string,
    reference: { readonly tag: string } | { readonly digest: Digest },
  ): Promise<void> {
    const manifest = this.findManifest(repository, reference);
    if ("tag" in reference) this.index.removeTag(repository, reference.tag);
    else this.index.removeManifest(repository, manifest.digest);
    await this.settle();
  }

  /**
   * Manifests that are about another one, also those that older clients have listed under its fallback tag.
   * distribution-spec, "Referrers Tag Schema".
   */
  async listReferrers(repository: string, subject: Digest): Promise<readonly Referrer[]> {
    const own = this.index.listReferrers(repository, subject);
    const tagged = this.index.findTag(repository, subject.replace(":", "-").slice(0, 128));
    const fallback = tagged && this.index.findManifest(repository, tagged);
    if (fallback === undefined || !isIndexMediaType(fallback.mediaType)) return own;
    const known = new Set(own.map(({ digest }) => digest));
    const index = parseManifest(await this.readManifest(fallback));
    const listed = index.kind === "index" ? index.manifests.map(referrerOf) : [];
    return [...own, ...listed.filter(({ digest }) => !known.has(digest))];
  }

  /** Remove a blob that no repository has. Whether there was none that has it. */
  async collectBlob(digest: Digest): Promise<boolean> {
    return await this.#blobs.run(digest, async () => {
      if (this.index.isNeeded(digest)) return false;
      await this.storage.remove(digest);
      return true;
    });
  }
}

/** What an index says of a manifest. */
export function referrerOf({
  digest,
  mediaType,
  sizeBytes,
  artifactType = "",
  annotations,
}: Descriptor): Referrer {
  return { digest, mediaType, sizeBytes, artifactType, annotations };
}

/** The index that `GET …/referrers` answers with. */
export function referrersIndex(referrers: readonly Referrer[]): object {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: referrers.map(({ mediaType, digest, sizeBytes, artifactType, annotations }) => ({
      mediaType,
      digest,
      size: sizeBytes,
      ...(artifactType !== "" && { artifactType }),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    })),
  };
}

function hashOf(bytes: Uint8Array, algorithm: DigestAlgorithm): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

/** Immutable bytes that were asked for last. */
class RecentBytes {
  readonly #maxBytes: number;
  readonly #entries = new Map<Digest, Uint8Array>();
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(digest: Digest): Uint8Array | undefined {
    const bytes = this.#entries.get(digest);
    if (bytes === undefined) return undefined;
    this.#entries.delete(digest);
    this.#entries.set(digest, bytes);
    return bytes;
  }

  set(digest: Digest, bytes: Uint8Array): void {
    if (this.#entries.has(digest)) return;
    this.#entries.set(digest, bytes);
    this.#sizeBytes += bytes.length;
    for (const [oldest, its] of this.#entries) {
      if (this.#sizeBytes <= this.#maxBytes) break;
      this.#entries.delete(oldest);
      this.#sizeBytes -= its.length;
    }
  }
}
