import type { Semaphore } from "@hawser/base";
import { type Digest, type Reference, repositoryOf } from "@hawser/oci";
import type { BlobSource, Repository } from "@hawser/registry/client";
import type { ContentStore, DistributableLayer, ImageStore, KeptIndex } from "@hawser/store";
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
 * them: its own manifest, or the index that the tag has here.
 *
 * @throws {Fault} what the registry says
 */
export async function pushImage(
  parts: {
    readonly repository: Repository;
    readonly store: {
      readonly images: Pick<
        ImageStore,
        "distribute" | "distributeIndex" | "findRepository" | "nameByDigest" | "resolve"
      >;
      readonly content: Pick<ContentStore, "open">;
    };
    readonly uploads: Semaphore;
    readonly reach: ReachEngineStep;
  },
  request: {
    readonly image: Digest;
    /** With a tag. */
    readonly reference: Reference;
    /** The index that the reference has. */
    readonly attested?: Digest | undefined;
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
  const name = async (
    manifest: Pick<KeptIndex, "digest" | "mediaType" | "bytes">,
    index?: Digest,
  ): Promise<PushedManifest> => {
    const { digest, mediaType, bytes } = manifest;
    reach("push.sent");
    await repository.putManifest(request.isPart ? digest : tag, manifest, { signal });
    reach("push.named");
    store.images.nameByDigest({ reference: { ...repositoryOf(reference), digest }, attested: index }, image);
    report({ kind: "pushed", tag, digest, sizeBytes: bytes.length });
    return { digest, mediaType, sizeBytes: bytes.length };
  };
  const { attested } = request;
  if (attested !== undefined) {
    return await store.images.distributeIndex(attested, async (index) => {
      const { diffIds } = store.images.resolve(image);
      const own = index.manifests.find(({ config }) => config === image);
      const onNews = (digest: Digest) => (news: PushedLayerNews) => {
        const diffId = diffIds[own?.layers.indexOf(digest) ?? -1];
        if (diffId !== undefined) report({ kind: "layer", diffId, news });
      };
      const blobs = index.blobs.filter(({ isForeign }) => !isForeign);
      for (const { digest } of blobs) onNews(digest)({ kind: "preparing" });
      await allOrFirstFailure(blobs.map((blob) => push(blob, onNews(blob.digest))));
      for (const manifest of index.manifests) {
        await repository.putManifest(manifest.digest, manifest, { signal });
      }
      return await name(index, attested);
    });
  }
  return await store.images.distribute(
    image,
    async ({ manifest, config, layers }) => {
      // An image may have the same layer more than once.
      const own = new Map(layers.filter(({ isForeign }) => !isForeign).map((layer) => [layer.digest, layer]));
      for (const { diffId } of layers) report({ kind: "layer", diffId, news: { kind: "preparing" } });
      await allOrFirstFailure([
        push(config, () => {}),
        ...[...own.values()].map((layer) =>
          push(layer, (news) => report({ kind: "layer", diffId: layer.diffId, news })),
        ),
      ]);
      return await name(manifest);
    },
    { signal },
  );
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
