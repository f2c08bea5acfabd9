import { type ChainId, chainIdOf, type Digest } from "@hawser/oci";
import type { ContentStore, StagedBlob } from "../content/content-store.ts";
import type { BlobOrigin } from "../content/incoming-blob.ts";
import type { HeldLayer, LayerStore } from "../layers/layer-store.ts";

/** What becomes of one layer of an image that is received. */
export type LayerNews =
  /** Nothing has to be done. */
  | { readonly kind: "exists" }
  | { readonly kind: "downloading"; readonly currentBytes: number; readonly totalBytes: number }
  /** All of it has come. */
  | { readonly kind: "downloaded" }
  | { readonly kind: "extracting"; readonly currentBytes: number; readonly totalBytes: number }
  | { readonly kind: "complete" };

/** A blob on its way. */
export type ArrivingBlob = Awaited<ReturnType<ContentStore["receive"]>>;

export interface LayerToReceive {
  readonly diffId: Digest;
  readonly origin: BlobOrigin;
}

interface Parts {
  readonly content: ContentStore;
  readonly layers: LayerStore;
}

/**
 * Begin to fetch the blobs of layers, the largest first, before it is known what they are archives of. Disposal ends what is under way.
 *
 * @returns for each of them the blob on its way; `undefined`: it is there
 */
export function beginBlobs(
  content: ContentStore,
  origins: readonly BlobOrigin[],
  onNews: (index: number, news: LayerNews) => void,
): AsyncDisposable & { readonly blobs: readonly Promise<ArrivingBlob | undefined>[] } {
  const blobs: Promise<ArrivingBlob | undefined>[] = [];
  const indexed = [...origins.entries()];
  for (const [at, origin] of indexed.toSorted(([, a], [, b]) => b.sizeBytes - a.sizeBytes)) {
    const begun = beginBlob(content, origin, (news) => onNews(at, news));
    begun.catch(() => {}); // whoever waits is told
    blobs[at] = begun;
  }
  return {
    blobs,
    async [Symbol.asyncDispose]() {
      const settled = await Promise.allSettled(blobs);
      const begun = settled.flatMap((one) => (one.status === "fulfilled" ? (one.value ?? []) : []));
      await Promise.all(begun.map((blob) => blob[Symbol.asyncDispose]()));
    },
  };
}

async function beginBlob(
  content: ContentStore,
  origin: BlobOrigin,
  onNews: (news: LayerNews) => void,
): Promise<ArrivingBlob | undefined> {
  if (await content.has(origin.digest)) return undefined;
  const blob = await content.receive(origin, {
    onProgress: (currentBytes) => onNews({ kind: "downloading", currentBytes, totalBytes: origin.sizeBytes }),
  });
  blob.arrival.complete.then(
    () => onNews({ kind: "downloaded" }),
    () => {},
  );
  return blob;
}

/**
 * Fetch and unpack one layer of an image, each in one pass while the other goes on; nothing of both when it is there.
 *
 * @throws {Fault} `data-loss` when it is not what was promised; what fetching throws; the reason of `signal`
 */
export async function receiveLayer(
  { content, layers }: Parts,
  { diffId, origin }: LayerToReceive,
  options: {
    readonly parent: ChainId | undefined;
    /** The parent's own receiving. */
    readonly after?: Promise<unknown>;
    /** The first of `beginBlobs` for it, where that was called. */
    readonly begun?: Promise<ArrivingBlob | undefined> | undefined;
    readonly signal: AbortSignal;
    readonly onNews: (news: LayerNews) => void;
  },
): Promise<HeldLayer> {
  const { parent, after, signal, onNews } = options;
  const chainId = chainIdOf(diffId, parent);
  const { digest, sizeBytes } = origin;
  const complete = () => {
    onNews({ kind: "extracting", currentBytes: sizeBytes, totalBytes: sizeBytes });
    onNews({ kind: "complete" });
  };
  const request = {
    parent,
    diffId,
    signal,
    ...(after && { after }),
    onProgress: (currentBytes: number) => onNews({ kind: "extracting", currentBytes, totalBytes: sizeBytes }),
  };
  // Held before anybody waits: what is there stays there.
  using _hold = layers.hold(chainId);
  for (let { begun } = options; ; begun = undefined) {
    await using blob = await (begun ?? beginBlob(content, origin, onNews));
    if (blob === undefined && layers.has(chainId)) {
      onNews({ kind: "exists" });
      await after;
      const hold = layers.hold(chainId);
      return { layer: layers.get(chainId), [Symbol.dispose]: () => hold[Symbol.dispose]() };
    }
    if (blob === undefined) {
      const held = await layers.unpack({ ...request, blob: storedBlob(content, { digest, sizeBytes }) });
      complete();
      return held;
    }
    try {
      const held = await layers.unpack({ ...request, blob });
      try {
        // Not there: the layer was, made from another archive.
        if (!(await content.has(digest))) await blob.commit();
      } catch (error) {
        held[Symbol.dispose]();
        throw error;
      }
      complete();
      return held;
    } catch (error) {
      // Somebody else's fetching failed: it says nothing about what one's own would come to.
      if (signal.aborted || blob.arrival.isFirst || !blob.arrival.broken.aborted) throw error;
    }
  }
}

/** What is there, as if it had just come. */
export function storedBlob(
  content: ContentStore,
  info: { readonly digest: Digest; readonly sizeBytes: number },
): StagedBlob {
  return {
    ...info,
    open: () => content.openFile(info.digest),
    commit: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
