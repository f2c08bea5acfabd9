import { createReadStream } from "node:fs";
import { errnoOf, readTar, rootedTarPath } from "@hawser/base";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  type Index,
  maxManifestBytes,
  parseManifest,
} from "@hawser/oci";
import type { FetchedManifest } from "../client/index.ts";
import { serverFaults } from "./faults.ts";
import type { UpstreamRepository } from "./upstream.ts";

/** More than an archive of an image has. */
const maxEntries = 100_000;

/** image-spec, "Pre-Defined Annotation Keys". */
const refName = "org.opencontainers.image.ref.name";

/**
 * A repository that is a file: a tar archive of an OCI image layout (image-spec, "OCI Image Layout"), in which
 * `org.opencontainers.image.ref.name` is the tag. Its digests are the reader's to check.
 *
 * Nothing of it is kept: each question reads the archive from its beginning. Without the file nothing is in the repository.
 */
export class ArchiveRepository implements UpstreamRepository {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws {Fault} `not-found`; `data-loss`, `invalid-argument` for what is no archive */
  async getManifest(reference: string): Promise<FetchedManifest> {
    const found = (await this.#readIndex()).manifests.find(
      ({ digest, annotations }) => digest === reference || annotations[refName] === reference,
    );
    if (found === undefined) throw serverFaults.MANIFEST_UNKNOWN(reference);
    const bytes = await this.#readSmall(nameOf(found.digest));
    if (bytes === undefined) throw serverFaults.MANIFEST_UNKNOWN(found.digest);
    return { digest: found.digest, mediaType: found.mediaType, bytes };
  }

  /** @throws {Fault} as `getManifest` */
  async findDigest(tag: string): Promise<Digest> {
    const found = (await this.#readIndex()).manifests.find(({ annotations }) => annotations[refName] === tag);
    if (found === undefined) throw serverFaults.MANIFEST_UNKNOWN(tag);
    return found.digest;
  }

  /** @throws {Fault} as `getManifest` */
  async statBlob(digest: Digest): Promise<number> {
    for await (const { sizeBytes } of this.#files(nameOf(digest))) return sizeBytes;
    throw serverFaults.BLOB_UNKNOWN(digest);
  }

  /** @throws {Fault} as `getManifest` */
  async *fetchBlob({ digest }: Pick<Descriptor, "digest">): AsyncGenerator<Buffer, void, undefined> {
    for await (const { data } of this.#files(nameOf(digest))) return yield* data;
    throw serverFaults.BLOB_UNKNOWN(digest);
  }

  async listTags(): Promise<readonly string[]> {
    return (await this.#readIndex()).manifests.flatMap(({ annotations }) => annotations[refName] ?? []);
  }

  async listReferrers(): Promise<readonly Descriptor[]> {
    return [];
  }

  async #readIndex(): Promise<Index> {
    const bytes = await this.#readSmall("index.json");
    if (bytes === undefined) throw serverFaults.NAME_UNKNOWN(this.#path);
    const index = parseManifest(bytes);
    if (index.kind !== "index") throw serverFaults.MANIFEST_INVALID("index.json is no index");
    return index;
  }

  async #readSmall(name: string): Promise<Buffer | undefined> {
    for await (const { sizeBytes, data } of this.#files(name)) {
      if (sizeBytes > maxManifestBytes) throw serverFaults.MANIFEST_TOO_LARGE(maxManifestBytes);
      return Buffer.concat(await Array.fromAsync(data));
    }
    return undefined;
  }

  /** The files of that name. */
  async *#files(name: string): AsyncGenerator<{ sizeBytes: number; data: AsyncIterable<Buffer> }> {
    try {
      for await (const { entry, data } of readTar(createReadStream(this.#path), { maxEntries })) {
        if (entry.type !== "file" || entry.sparse || rootedTarPath(entry.path) !== name) continue;
        yield { sizeBytes: entry.sizeBytes, data };
      }
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
}

function nameOf(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}
