import { abortable } from "@hawser/base";
import { type Descriptor, digestAlgorithm, digestOf } from "@hawser/oci";
import type { FetchedManifest } from "../client/index.ts";
import type { Caller } from "./access.ts";
import { parseManifestReference } from "./call.ts";
import { serverFaults } from "./faults.ts";
import type { PullThrough } from "./pull-through.ts";
import type { BlobContent, RegistryService } from "./registry-service.ts";

/** Whoever is in this process. */
const insider: Caller = { user: undefined, mayList: true, allows: () => true, lists: () => true };

interface Cancelable {
  readonly signal?: AbortSignal | undefined;
}

/** A repository of a mirror for the process that the mirror is in: what a client's `Repository` has for pulls, without HTTP. */
export class MirrorRepository {
  readonly #name: string;
  readonly #service: RegistryService;
  readonly #pullThrough: PullThrough;

  constructor(name: string, parts: { readonly service: RegistryService; readonly pullThrough: PullThrough }) {
    this.#name = name;
    this.#service = parts.service;
    this.#pullThrough = parts.pullThrough;
  }

  /** What a tag or a digest names. @throws {Fault} `not-found`, `permission-denied`, `unavailable` */
  async getManifest(text: string, { signal }: Cancelable = {}): Promise<FetchedManifest> {
    const reference = parseManifestReference(text);
    await abortable(this.#pullThrough.ensureManifest(this.#name, reference), signal);
    const manifest = this.#service.findManifest(this.#name, reference);
    const bytes = await this.#service.readManifest(manifest);
    return {
      digest: checkDigest(bytes, manifest.digest),
      mediaType: manifest.mediaType,
      bytes: Buffer.from(bytes),
    };
  }

  /** The bytes of a blob, of which there are as many as announced; a chunk is good until the next one is asked for. @throws {Fault} as `getManifest` */
  async *fetchBlob(
    { digest, sizeBytes }: Pick<Descriptor, "digest" | "sizeBytes">,
    { signal }: Cancelable = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const opened: Promise<BlobContent> = this.#pullThrough.openBlob(this.#name, digest, insider);
    const blob = await abortable(opened, signal);
    if (blob.sizeBytes !== sizeBytes) {
      throw serverFaults.SIZE_INVALID(`${digest} has ${blob.sizeBytes} bytes, ${sizeBytes} were said`);
    }
    for await (const chunk of blob.read()) {
      signal?.throwIfAborted();
      yield chunk;
    }
  }

  /** All of a small blob, checked. @throws {Fault} as `getManifest` */
  async readBlob(
    descriptor: Pick<Descriptor, "digest" | "sizeBytes">,
    options: Cancelable = {},
  ): Promise<Buffer> {
    const { sizeBytes, digest } = descriptor;
    if (sizeBytes > maxSmallBytes) throw serverFaults.MANIFEST_TOO_LARGE(maxSmallBytes);
    const chunks = this.fetchBlob(descriptor, options);
    const bytes = Buffer.concat(await Array.fromAsync(chunks, (chunk) => Buffer.from(chunk)));
    checkDigest(bytes, digest);
    return bytes;
  }
}

const maxSmallBytes = 8 << 20;

/** @throws {Fault} `invalid-argument` */
function checkDigest(bytes: Uint8Array, wanted: Descriptor["digest"]): Descriptor["digest"] {
  const is = digestOf(bytes, digestAlgorithm(wanted));
  if (is !== wanted) throw serverFaults.DIGEST_INVALID(`${wanted}, it is ${is}`);
  return is;
}
