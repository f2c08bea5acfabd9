import { Fault } from "@hawser/base";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestOf,
  isDigest,
  maxManifestBytes,
  mediaTypes,
  parseDigest,
  parseManifest,
} from "@hawser/oci";
import type { Scope } from "./authorizer.ts";
import type { EndpointRequest, EndpointResponse, RegistryEndpoint } from "./endpoint.ts";
import { registryFaults } from "./faults.ts";
import { fetchBlob } from "./fetch-blob.ts";
import { parseNextPage } from "./next-page.ts";
import { type RetryPolicy, waitForRetry } from "./retry.ts";
import { discardBody, isTransient, readSmallBody } from "./transport.ts";
import { type BlobSource, type UploadOutcome, uploadBlob } from "./upload-blob.ts";

/** A manifest or index as the registry has it: its digest is of these bytes. */
export interface FetchedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export interface Cancelable {
  readonly signal?: AbortSignal | undefined;
}

const accepted = [
  mediaTypes.ociIndex,
  mediaTypes.dockerManifestList,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifest,
].join(", ");

const maxTagsBytes = 4 << 20;
const maxTags = 100_000;
const maxReferrerPages = 100;
const maxConfigReplyBytes = 8 << 20;

/** One repository of a registry, for one person. */
export class Repository {
  /** `library/busybox` */
  readonly path: string;
  readonly #endpoints: readonly RegistryEndpoint[];
  readonly #domain: string;
  readonly #retry: RetryPolicy;

  constructor(parts: {
    readonly domain: string;
    readonly path: string;
    readonly endpoints: readonly RegistryEndpoint[];
    readonly retry: RetryPolicy;
  }) {
    this.path = parts.path;
    this.#domain = parts.domain;
    this.#endpoints = parts.endpoints;
    this.#retry = parts.retry;
  }

  /**
   * What a tag or a digest names.
   *
   * @throws {Fault} `not-found`, `unauthenticated`, `permission-denied` with the registry's words; `data-loss` when it is
   * not what the digest says; `unavailable`
   */
  async getManifest(reference: string, { signal }: Cancelable = {}): Promise<FetchedManifest> {
    const isDigest = reference.includes(":");
    return await this.#firstOf(isDigest ? "pull" : "resolve", async (endpoint) => {
      const { response, bytes } = await this.#readDocument(endpoint, {
        path: `/${this.path}/manifests/${reference}`,
        headers: { accept: accepted },
        signal,
      });
      return checkManifest(response, bytes, isDigest ? parseDigest(reference) : undefined);
    });
  }

  /**
   * The digest of what a tag names, without getting it; `undefined` when the registry does not say.
   *
   * @throws {Fault} as `getManifest`
   */
  async findDigest(tag: string, { signal }: Cancelable = {}): Promise<Digest | undefined> {
    return await this.#firstOf("resolve", async (endpoint) => {
      const response = await this.#head(endpoint, `/${this.path}/manifests/${tag}`, signal);
      const said = response.headers["docker-content-digest"];
      return typeof said === "string" && isDigest(said) ? said : undefined;
    });
  }

  /** How many bytes the registry says that a blob has. @throws {Fault} as `getManifest` */
  async statBlob(digest: Digest, { signal }: Cancelable = {}): Promise<number> {
    return await this.#firstOf("pull", async (endpoint) => {
      const { headers, what } = await this.#head(endpoint, `/${this.path}/blobs/${digest}`, signal);
      const size = headers["content-length"];
      if (size === undefined || !/^\d{1,15}$/.test(size)) {
        throw registryFaults.ANSWER_INVALID(what, "it does not say how large the blob is");
      }
      return Number(size);
    });
  }

  /**
   * The bytes of a blob, of which there are as many as announced. Their digest is the caller's to check.
   *
   * @param options.lent a chunk is good until the next one is asked for, which costs less
   */
  fetchBlob(
    descriptor: Pick<Descriptor, "digest" | "sizeBytes">,
    { signal, lent }: Cancelable & { readonly lent?: boolean } = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    const { digest, sizeBytes } = descriptor;
    return fetchBlob(this.#able("pull"), {
      repository: this.path,
      digest,
      sizeBytes,
      scopes: this.#scopes("pull"),
      retry: this.#retry,
      lent,
      signal,
    });
  }

  /** All of a small blob, checked. @throws {Fault} as `getManifest` */
  async readBlob(
    descriptor: Pick<Descriptor, "digest" | "sizeBytes">,
    options: Cancelable = {},
  ): Promise<Buffer> {
    const { digest, sizeBytes } = descriptor;
    if (sizeBytes > maxConfigReplyBytes) throw registryFaults.ANSWER_TOO_LARGE(digest, maxConfigReplyBytes);
    const bytes = Buffer.concat(await Array.fromAsync(this.fetchBlob(descriptor, options)));
    checkDigest(`Get ${digest}`, bytes, digest);
    return bytes;
  }

  /** Every tag, in the registry's order. */
  async listTags({ signal }: Cancelable = {}): Promise<readonly string[]> {
    return await this.#firstOf("resolve", async (endpoint) => {
      const tags: string[] = [];
      let path: string | URL | undefined = `/${this.path}/tags/list`;
      while (path !== undefined && tags.length < maxTags) {
        const response: EndpointResponse = await endpoint.request({
          method: "GET",
          path,
          scopes: this.#scopes("pull"),
          accept: [200],
          signal,
        });
        const body = await readSmallBody(response, { what: response.what, maxBytes: maxTagsBytes, signal });
        tags.push(...readTags(response.what, body));
        path = parseNextPage(response.headers["link"], response.url);
      }
      return tags;
    });
  }

  /**
   * Manifests that are about another one: by the registry's own list, or, where it has none, by its fallback tag.
   * distribution-spec, "Listing Referrers".
   *
   * @throws {Fault} as `getManifest`
   */
  async listReferrers(subject: Digest, { signal }: Cancelable = {}): Promise<readonly Descriptor[]> {
    return await this.#firstOf("resolve", async (endpoint) => {
      const found: Descriptor[] = [];
      let path: string | URL | undefined = `/${this.path}/referrers/${subject}`;
      for (let pages = 0; path !== undefined && pages < maxReferrerPages; pages++) {
        const response: EndpointResponse = await endpoint.request({
          method: "GET",
          path,
          scopes: this.#scopes("pull"),
          accept: [200, 404],
          signal,
        });
        const { what, status, headers, url } = response;
        const body = await readSmallBody(response, { what, maxBytes: maxManifestBytes, signal });
        if (status === 404) return await this.#referrersByTag(subject, signal);
        found.push(...manifestsOf(body));
        path = parseNextPage(headers["link"], url);
      }
      return found;
    });
  }

  async #referrersByTag(subject: Digest, signal?: AbortSignal): Promise<readonly Descriptor[]> {
    try {
      return manifestsOf((await this.getManifest(subject.replace(":", "-").slice(0, 128), { signal })).bytes);
    } catch (error) {
      if (Fault.is(error, "not-found")) return [];
      throw error;
    }
  }

  /** Have the registry take a blob; what is there already stays there. */
  async uploadBlob(
    blob: BlobSource,
    options: Cancelable & {
      readonly mountFrom?: string | undefined;
      readonly onProgress?: (sentBytes: number) => void;
    } = {},
  ): Promise<UploadOutcome> {
    const { mountFrom, onProgress, signal } = options;
    return await uploadBlob(this.#pushEndpoint(), {
      repository: this.path,
      blob,
      mountFrom,
      scopes: this.#scopes("pull,push"),
      retry: this.#retry,
      ...(onProgress && { onProgress }),
      signal,
    });
  }

  /** Name a manifest, whose blobs are there. @param reference a tag or its digest */
  async putManifest(
    reference: string,
    manifest: FetchedManifest,
    { signal }: Cancelable = {},
  ): Promise<void> {
    const { bytes, mediaType, digest } = manifest;
    const response = await this.#pushEndpoint().request({
      method: "PUT",
      path: `/${this.path}/manifests/${reference}`,
      headers: { "content-type": mediaType },
      content: {
        sizeBytes: bytes.length,
        async *open() {
          yield bytes;
        },
      },
      scopes: this.#scopes("pull,push"),
      accept: [200, 201, 202],
      repeatable: true,
      signal,
    });
    await discardBody(response);
    const stored = response.headers["docker-content-digest"];
    if (typeof stored === "string" && stored !== digest) {
      throw registryFaults.DIGEST_LIE(response.what, digest, stored);
    }
  }

  /** An answer and its body, asked for again when that breaks off. */
  async #readDocument(
    endpoint: RegistryEndpoint,
    request: Pick<EndpointRequest, "path" | "headers" | "signal">,
  ): Promise<{ readonly response: EndpointResponse; readonly bytes: Buffer }> {
    const { signal } = request;
    for (let attempt = 1; ; attempt++) {
      const response = await endpoint.request({
        ...request,
        method: "GET",
        scopes: this.#scopes("pull"),
        accept: [200],
      });
      const { what } = response;
      try {
        return {
          response,
          bytes: await readSmallBody(response, { what, maxBytes: maxManifestBytes, signal }),
        };
      } catch (error) {
        if (attempt > this.#retry.retries || !isTransient(error)) throw error;
      }
      await waitForRetry(this.#retry, { attempt, signal });
    }
  }

  async #head(endpoint: RegistryEndpoint, path: string, signal?: AbortSignal): Promise<EndpointResponse> {
    const response = await endpoint.request({
      method: "HEAD",
      path,
      headers: { accept: accepted },
      scopes: this.#scopes("pull"),
      accept: [200],
      signal,
    });
    await discardBody(response);
    return response;
  }

  #scopes(actions: Scope["actions"]): readonly Scope[] {
    return [{ repository: this.path, actions }];
  }

  #able(capability: "pull" | "resolve" | "push"): readonly RegistryEndpoint[] {
    const able = this.#endpoints.filter(({ host }) => host.capabilities[capability]);
    if (able.length === 0) throw registryFaults.NO_HOST(this.#domain, `${capability} from`);
    return able;
  }

  #pushEndpoint(): RegistryEndpoint {
    const [first, ...others] = this.#able("push");
    const own = [first, ...others].find((endpoint) => endpoint?.host.isOrigin) ?? first;
    if (own === undefined) throw registryFaults.NO_HOST(this.#domain, "push to");
    return own;
  }

  /** What the first host that can says; of several failures the last one counts, which is the registry's own. */
  async #firstOf<T>(
    capability: "pull" | "resolve",
    ask: (endpoint: RegistryEndpoint) => Promise<T>,
  ): Promise<T> {
    let failure: unknown;
    for (const endpoint of this.#able(capability)) {
      try {
        return await ask(endpoint);
      } catch (error) {
        if (!Fault.is(error)) throw error;
        failure = error;
      }
    }
    throw failure;
  }
}

function manifestsOf(bytes: Buffer): readonly Descriptor[] {
  const index = parseManifest(bytes);
  return index.kind === "index" ? index.manifests : [];
}

function checkManifest(
  { headers, what }: EndpointResponse,
  bytes: Buffer,
  wanted: Digest | undefined,
): FetchedManifest {
  const mediaType = (headers["content-type"] ?? "").split(";", 1)[0]?.trim() ?? "";
  if (mediaType.startsWith("application/vnd.docker.distribution.manifest.v1")) throw registryFaults.SCHEMA1();
  const said = headers["docker-content-digest"];
  if (wanted !== undefined) return { digest: checkDigest(what, bytes, wanted), mediaType, bytes };
  const algorithm = typeof said === "string" && said.startsWith("sha512:") ? "sha512" : "sha256";
  const digest = digestOf(bytes, algorithm);
  if (typeof said === "string" && said !== digest) throw registryFaults.DIGEST_LIE(what, said, digest);
  return { digest, mediaType, bytes };
}

/** @throws {Fault} `data-loss` */
function checkDigest(what: string, bytes: Buffer, wanted: Digest): Digest {
  const digest = digestOf(bytes, digestAlgorithm(wanted));
  if (digest !== wanted) throw registryFaults.DIGEST_LIE(what, wanted, digest);
  return digest;
}

function readTags(what: string, body: Buffer): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw registryFaults.ANSWER_INVALID(what, "the list of tags is not JSON").because(error);
  }
  const tags = typeof value === "object" && value !== null && "tags" in value ? value.tags : undefined;
  if (tags === null || tags === undefined) return [];
  if (!Array.isArray(tags)) throw registryFaults.ANSWER_INVALID(what, "the list of tags is none");
  return tags.filter((tag) => typeof tag === "string" && /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(tag));
}
