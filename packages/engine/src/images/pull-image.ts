import type { Semaphore } from "@hawser/base";
import {
  type Descriptor,
  type Digest,
  findAttestations,
  formatFamiliar,
  formatPlatform,
  type ImageConfig,
  isConfigMediaType,
  type Manifest,
  type Platform,
  parseImageConfig,
  parseManifest,
  type Reference,
  repositoryOf,
} from "@hawser/oci";
import type { FetchedManifest } from "@hawser/registry/client";
import type {
  BlobOrigin,
  ContentStore,
  Image,
  ImageMaker,
  ImageStore,
  IndexOrigin,
  LayerNews,
} from "@hawser/store";
import { chooseManifest } from "./choose-manifest.ts";
import { imageFaults } from "./faults.ts";

/** What becomes of one layer of a pull. */
export type PulledLayerNews = LayerNews | { readonly kind: "pending" } | { readonly kind: "waiting" };

export type PullEvent =
  /** The registry has it. */
  | { readonly kind: "pulling"; readonly repository: string; readonly reference: string }
  | { readonly kind: "layer"; readonly digest: string; readonly news: PulledLayerNews }
  /** What is said of the image could not be had: it comes alone. */
  | { readonly kind: "unattested"; readonly reason: string }
  | { readonly kind: "pulled"; readonly digest: string }
  | { readonly kind: "finished"; readonly reference: string; readonly isNew: boolean }
  | { readonly kind: "built-in"; readonly reference: string; readonly isNew: boolean };

/** A repository as pulls see it. */
export interface PullSource {
  /** What a tag or a digest names, checked. */
  getManifest(reference: string, options: { readonly signal?: AbortSignal }): Promise<FetchedManifest>;
  /** As many bytes as announced; their digest is the reader's to check. A chunk is good until the next one is asked for. */
  fetchBlob(
    blob: Pick<Descriptor, "digest" | "sizeBytes">,
    options: { readonly signal?: AbortSignal; readonly lent: true },
  ): AsyncIterable<Uint8Array>;
  /** All of a small blob, checked. */
  readBlob(
    blob: Pick<Descriptor, "digest" | "sizeBytes">,
    options: { readonly signal?: AbortSignal },
  ): Promise<Buffer>;
}

export interface PullRequest {
  /** With a tag or a digest. */
  readonly reference: Reference;
  /** What someone asked for; absent: whatever suits this machine. */
  readonly platform: Platform | undefined;
  readonly hostPlatform: Platform;
  /**
   * What it is called then: `digest`, by its manifest's alone, which is no name that people use; `tag`, by what no registry is said to
   * have. Absent: by both.
   */
  readonly names?: "digest" | "tag";
  readonly signal: AbortSignal;
  readonly report: (event: PullEvent) => void;
}

const maxIndexDepth = 2;

/** Where what is pulled goes. */
export interface PullStore {
  readonly images: Pick<ImageStore, "has">;
  readonly maker: Pick<ImageMaker, "receive">;
  readonly content: Pick<ContentStore, "has" | "read">;
}

/**
 * Get one image from a registry: what its name means, the image for the platform, then its configuration and all its layers at once.
 *
 * @throws {Fault} what the registry says, `not-found` for a platform that there is no image for, `data-loss` for what is not
 * what it was said to be
 */
export async function pullImage(
  parts: {
    readonly repository: PullSource;
    readonly store: PullStore;
    readonly downloads: Semaphore;
  },
  request: PullRequest,
): Promise<{ readonly image: Image; readonly isNew: boolean }> {
  const { repository } = parts;
  const { images, maker, content } = parts.store;
  const { reference, signal, report } = request;
  const top = await repository.getManifest(reference.digest ?? reference.tag ?? "latest", { signal });
  report({ kind: "pulling", repository: reference.path, reference: reference.digest ?? reference.tag ?? "" });
  const { fetched, manifest, attestations } = await findManifest(repository, top, request);
  const references = referencesOf(request, { top: top.digest, manifest: fetched.digest });
  // Layers of an image that is there are not worth a word.
  const isThere = images.has(manifest.config.digest, fetched.digest);
  const tell = (digest: string, news: PulledLayerNews) => {
    if (!isThere) report({ kind: "layer", digest, news });
  };
  for (const { digest } of manifest.layers) tell(digest, { kind: "pending" });
  const result = await maker.receive(
    {
      manifest: fetched,
      config: {
        digest: manifest.config.digest,
        async read() {
          const { digest } = manifest.config;
          const bytes = (await content.has(digest))
            ? await content.read(digest)
            : await repository.readBlob(manifest.config, { signal });
          checkPlatform(parseImageConfig(bytes), request);
          return bytes;
        },
      },
      layers: manifest.layers.map((layer) => originOf(layer, parts, tell)),
      references,
      // What is called by its manifest's digest is the image alone.
      index: request.names === "digest" ? undefined : attestations && indexOrigin(top, attestations, parts),
    },
    {
      signal,
      onNews: (at, news) => tell(manifest.layers[at]?.digest ?? "", news),
      onUnattested: ({ message }) => report({ kind: "unattested", reason: message }),
    },
  );
  report({ kind: "pulled", digest: top.digest });
  return result;
}

function referencesOf(
  { reference, names }: PullRequest,
  digests: { readonly top: Digest; readonly manifest: Digest },
): readonly Reference[] {
  const repository = repositoryOf(reference);
  const tagged = reference.digest === undefined ? [reference] : [];
  if (names === "digest") return [{ ...repository, digest: digests.manifest }];
  if (names === "tag") return tagged;
  return [{ ...repository, digest: digests.top }, ...tagged];
}

/** What an image is, without getting it. @throws {Fault} as `pullImage` */
export async function readRemoteConfig(
  repository: PullSource,
  request: Omit<PullRequest, "report">,
): Promise<ImageConfig> {
  const { reference, signal } = request;
  const top = await repository.getManifest(reference.digest ?? reference.tag ?? "latest", { signal });
  const { manifest } = await findManifest(repository, top, request);
  return parseImageConfig(await repository.readBlob(manifest.config, { signal }));
}

/** Through an index to the image for the platform. */
async function findManifest(
  repository: PullSource,
  top: FetchedManifest,
  { platform, hostPlatform, signal }: Pick<PullRequest, "platform" | "hostPlatform" | "signal">,
): Promise<{
  readonly fetched: FetchedManifest;
  readonly manifest: Manifest;
  /** What is said of it, where `top` lists that and nothing else besides. */
  readonly attestations?: readonly Descriptor[] | undefined;
}> {
  let fetched = top;
  let attestations: readonly Descriptor[] | undefined;
  for (let depth = 0; depth <= maxIndexDepth; depth++) {
    const manifest = parseManifest(fetched.bytes);
    if (manifest.kind === "manifest") {
      const { mediaType } = manifest.config;
      // Some very old images say nothing better.
      const isImage = isConfigMediaType(mediaType) || mediaType === "application/octet-stream";
      if (!isImage) throw imageFaults.NOT_AN_IMAGE(mediaType.slice(0, 200));
      return { fetched, manifest, attestations };
    }
    const chosen = chooseManifest(manifest, platform ?? hostPlatform);
    attestations = fetched === top ? findAttestations(manifest, chosen.digest) : undefined;
    fetched = await repository.getManifest(chosen.digest, { signal });
  }
  throw imageFaults.INDEX_TOO_DEEP();
}

/** Of an image that was not chosen from several. Variants are for choosing. */
function checkPlatform(config: Platform, { reference, platform, hostPlatform }: PullRequest): void {
  if (config.os !== hostPlatform.os) throw imageFaults.SYSTEM_UNSUPPORTED(config.os.slice(0, 100));
  if (platform === undefined) return;
  const { os, architecture } = config;
  if (platform.os === os && platform.architecture === architecture) return;
  throw imageFaults.PLATFORM_MISMATCH(
    formatFamiliar(reference),
    formatPlatform(platform),
    formatPlatform({ os, architecture }),
  );
}

/** What is said of an image, fetched when one of the few places for downloads is free. */
function indexOrigin(
  { digest, bytes }: FetchedManifest,
  attestations: readonly Descriptor[],
  { repository, downloads }: { readonly repository: PullSource; readonly downloads: Semaphore },
): IndexOrigin {
  return {
    digest,
    bytes,
    attestations,
    async *open(of, { kind, signal }) {
      using _slot = await downloads.acquire(signal);
      if (kind === "manifest") yield (await repository.getManifest(of.digest, { signal })).bytes;
      else yield* repository.fetchBlob(of, { signal, lent: true });
    },
  };
}

/** A layer's blob, fetched when one of the few places for downloads is free. */
function originOf(
  layer: Descriptor,
  { repository, downloads }: { readonly repository: PullSource; readonly downloads: Semaphore },
  tell: (digest: string, news: PulledLayerNews) => void,
): BlobOrigin {
  const { digest, sizeBytes } = layer;
  return {
    digest,
    sizeBytes,
    async *open(signal) {
      if (downloads.isFull) tell(digest, { kind: "waiting" });
      using _slot = await downloads.acquire(signal);
      yield* repository.fetchBlob(layer, { signal, lent: true });
    },
  };
}
