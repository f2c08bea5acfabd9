import { createHash } from "node:crypto";
import type { SessionContent } from "@hawser/build/grpc";
import {
  type Digest,
  digestAlgorithm,
  digestHex,
  maxManifestBytes,
  parseReference,
  withDefaultTag,
} from "@hawser/oci";
import type { Repository } from "@hawser/registry/client";
import { buildFaults } from "../faults.ts";

/** A blob that is had from somewhere, or brought there. */
export interface Blob {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export interface GivenBlob extends Blob {
  /** The bytes from `start` up to `end`; each call begins anew. */
  readonly open: (start?: number, end?: number) => AsyncIterable<Uint8Array>;
}

export interface GivenManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** Where blobs are, and a manifest that names them. Nothing of it is known to be what it says. */
export interface BlobOrigin {
  /** As people know it. */
  readonly name: string;
  /** A manifest; without a digest the one that the place is about. @throws {Fault} `not-found`, `unavailable`, `data-loss` */
  readManifest(digest: Digest | undefined, signal: AbortSignal): Promise<Buffer>;
  open(blob: Blob, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** A place that takes blobs. */
export interface BlobTarget {
  /** What is there already stays there. @throws {Fault} what the place says */
  put(blob: GivenBlob, signal: AbortSignal): Promise<void>;
  /** The last: what it names is there. @param isTop it is what the place is about from then on */
  putManifest(
    manifest: GivenManifest,
    options: { readonly isTop: boolean; readonly signal: AbortSignal },
  ): Promise<void>;
}

/** All of a small blob, checked. @throws {Fault} `data-loss`, `invalid-argument` for one that is too large */
export async function readSmallBlob(
  bytes: AsyncIterable<Uint8Array>,
  { digest, maxBytes }: { readonly digest: Digest; readonly maxBytes: number },
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > maxBytes) throw buildFaults.CACHE_DOCUMENT(digest, `it has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const whole = Buffer.concat(chunks);
  const is = createHash(digestAlgorithm(digest)).update(whole).digest("hex");
  if (is !== digestHex(digest)) throw buildFaults.CACHE_DOCUMENT(digest, "its bytes are others");
  return whole;
}

/** What a repository has under a reference. */
export function repositoryOrigin(reference: string, open: () => Promise<Repository>): BlobOrigin {
  const { digest, tag = "latest" } = withDefaultTag(parseReference(reference));
  return {
    name: reference,
    async readManifest(wanted, signal) {
      const repository = await open();
      return (await repository.getManifest(wanted ?? digest ?? tag, { signal })).bytes;
    },
    async *open(blob, signal) {
      yield* (await open()).fetchBlob(blob, { signal });
    },
  };
}

/** A repository that gets what is put there under a tag. */
export function repositoryTarget(reference: string, repository: Repository): BlobTarget {
  const { tag = "latest" } = withDefaultTag(parseReference(reference));
  return {
    async put({ digest, sizeBytes, open }, signal) {
      await repository.uploadBlob({ digest, sizeBytes, open }, { signal });
    },
    async putManifest(manifest, { isTop, signal }) {
      await repository.putManifest(isTop ? tag : manifest.digest, manifest, { signal });
    },
  };
}

/** A folder of blobs that the client lends. @param digest of the manifest that it is about */
export function contentOrigin(
  content: Pick<SessionContent, "read">,
  { name, digest }: { readonly name: string; readonly digest: Digest },
): BlobOrigin {
  return {
    name,
    readManifest: async (wanted, signal) => {
      const of = wanted ?? digest;
      return await readSmallBlob(content.read(of, signal), { digest: of, maxBytes: maxManifestBytes });
    },
    open: (blob, signal) => content.read(blob.digest, signal),
  };
}

/** A folder of blobs that the client lends; it notes itself what its index is about. */
export function contentTarget(content: Pick<SessionContent, "write">): BlobTarget {
  return {
    put: (blob, signal) => content.write(blob, signal),
    async putManifest({ digest, bytes }, { signal }) {
      const open = async function* () {
        yield bytes;
      };
      await content.write({ digest, sizeBytes: bytes.length, open }, signal);
    },
  };
}
