import type { Semaphore } from "@hawser/base";
import {
  type Digest,
  familiarName,
  mediaTypes,
  parseManifest,
  type Reference,
  repositoryOf,
} from "@hawser/oci";
import type { BlobSource, Repository } from "@hawser/registry/client";
import type { ContentStore, DistributableLayer, ImageStore } from "@hawser/store";
import type { ReachEngineStep } from "../steps.ts";

/** What becomes of one layer of a push. */
export type PushedLayerNews =
  | { readonly kind: "preparing" }
  | { readonly kind: "waiting" }
  | { readonly kind: "pushing"; readonly currentBytes: number; readonly totalBytes: number }
  | { readonly kind: "pushed" }
  | { readonly kind: "exists" }
  | { readonly kind: "mounted"; readonly from: string };

export type PushEvent =
  | { readonly kind: "pushing"; readonly repository: string }
  | { readonly kind: "layer"; readonly diffId: string; readonly news: PushedLayerNews }
  | { readonly kind: "pushed"; readonly tag: string; readonly digest: string; readonly sizeBytes: number };

/** A manifest that a registry has now. */
export interface PushedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/**
 * Give an image to a registry under one tag: its blobs all at once, those that are there already left out, then what names
 * them. A tag that a build has given the image together with its attestations stays as it is: some releases of buildx have an image
 * pushed again that they have had pushed.
 *
 * @throws {Fault} what the registry says
 */
export async function pushImage(
  parts: {
    readonly repository: Repository;
    readonly store: {
      readonly images: Pick<ImageStore, "distribute" | "findRepository" | "nameByDigest" | "resolve">;
      readonly content: Pick<ContentStore, "open">;
    };
    readonly uploads: Semaphore;
    readonly reach: ReachEngineStep;
  },
  request: {
    readonly image: Digest;
    /** With a tag. */
    readonly reference: Reference;
    /** It is to be a part of an index: the tag is not touched. */
    readonly isPart?: boolean;
    readonly signal: AbortSignal;
    readonly report: (event: PushEvent) => void;
  },
): Promise<PushedManifest> {
  const { repository, store, uploads, reach } = parts;
  const { image, reference, signal, report } = request;
  const tag = reference.tag ?? "latest";
  const push = async (
    blob: Pick<DistributableLayer, "digest" | "sizeBytes">,
    onNews: (news: PushedLayerNews) => void,
  ) => {
    if (uploads.isFull) onNews({ kind: "waiting" });
    using _slot = await uploads.acquire(signal);
    const { sizeBytes: totalBytes } = blob;
    const outcome = await repository.uploadBlob(sourceOf(store.content, blob, signal), {
      mountFrom: store.images.findRepository(blob.digest, reference)?.path,
      onProgress: (currentBytes) => onNews({ kind: "pushing", currentBytes, totalBytes }),
      signal,
    });
    switch (outcome.kind) {
      case "exists":
        return onNews({ kind: "exists" });
      case "mounted":
        return onNews({ kind: "mounted", from: outcome.from });
      case "uploaded":
        return onNews({ kind: "pushed" });
    }
  };
  return await store.images.distribute(
    image,
    async ({ manifest, config, layers }) => {
      const attested = request.isPart ? undefined : await findAttested(parts, { ...request, tag });
      if (attested !== undefined) {
        for (const { diffId } of layers) report({ kind: "layer", diffId, news: { kind: "exists" } });
        report({ kind: "pushed", tag, digest: attested.digest, sizeBytes: attested.sizeBytes });
        return attested;
      }
      // An image may have the same layer more than once.
      const own = new Map(layers.filter(({ isForeign }) => !isForeign).map((layer) => [layer.digest, layer]));
      for (const { diffId } of layers) report({ kind: "layer", diffId, news: { kind: "preparing" } });
      await allOrFirstFailure([
        push(config, () => {}),
        ...[...own.values()].map((layer) =>
          push(layer, (news) => report({ kind: "layer", diffId: layer.diffId, news })),
        ),
      ]);
      reach("push.sent");
      await repository.putManifest(request.isPart ? manifest.digest : tag, manifest, { signal });
      reach("push.named");
      store.images.nameByDigest({ ...repositoryOf(reference), digest: manifest.digest }, image);
      report({ kind: "pushed", tag, digest: manifest.digest, sizeBytes: manifest.bytes.length });
      const { digest, mediaType, bytes } = manifest;
      return { digest, mediaType, sizeBytes: bytes.length };
    },
    { signal },
  );
}

/** An index of the image and its attestations alone, which the tag names; `undefined`: it names another thing, or nothing. */
async function findAttested(
  { repository, store }: Pick<Parameters<typeof pushImage>[0], "repository" | "store">,
  {
    image,
    reference,
    tag,
    signal,
  }: {
    readonly image: Digest;
    readonly reference: Reference;
    readonly tag: string;
    readonly signal: AbortSignal;
  },
): Promise<PushedManifest | undefined> {
  const prefix = `${familiarName(reference)}@`;
  const known = store.images
    .resolve(image)
    .repoDigests.flatMap((text) => (text.startsWith(prefix) ? [text.slice(prefix.length)] : []));
  if (known.length === 0) return undefined; // the registry never had it from here
  const digest = await repository.findDigest(tag, { signal }).catch(() => undefined); // asked again by the push
  signal.throwIfAborted();
  if (digest === undefined || !known.includes(digest)) return undefined;
  const { bytes } = await repository.getManifest(digest, { signal });
  const index = parseManifest(bytes);
  if (index.kind !== "index") return undefined;
  const isAttestation = ({ annotations }: (typeof index.manifests)[number]) =>
    annotations["vnd.docker.reference.type"] === "attestation-manifest";
  const images = index.manifests.filter((entry) => !isAttestation(entry));
  if (images.length !== 1 || index.manifests.length === 1) return undefined;
  return { digest, mediaType: index.mediaType ?? mediaTypes.ociIndex, sizeBytes: bytes.length };
}

/** Nothing is under way any more when it settles. */
async function allOrFirstFailure(work: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}

function sourceOf(
  content: Pick<ContentStore, "open">,
  { digest, sizeBytes }: Pick<DistributableLayer, "digest" | "sizeBytes">,
  signal: AbortSignal,
): BlobSource {
  return { digest, sizeBytes, open: (start, end) => content.open(digest, { start, end, signal }) };
}
