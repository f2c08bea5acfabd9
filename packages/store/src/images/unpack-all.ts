import { type ChainId, chainIdsOf, type Digest } from "@hawser/oci";
import type { ArchivedImage } from "../archive/archived-image.ts";
import type { HeldLayer, LayerStore } from "../layers/layer-store.ts";
import type { LoadOptions } from "./image-requests.ts";

/** A layer of an image that is made. */
export interface LayerInProgress {
  readonly diffId: Digest;
  /** Of its archive. */
  readonly sizeBytes: number;
  begin(context: {
    readonly parent: ChainId | undefined;
    /** The parent's own making. */
    readonly after?: Promise<unknown>;
    readonly signal: AbortSignal;
  }): Promise<HeldLayer>;
}

/**
 * Make all layers of an image at once; each is published after the one below it. The largest begin, so that the last ones to be
 * done are short: a layer is one worker's work, and the other processors would have none. When one fails, the others end, too.
 *
 * @param layers lowest first
 * @throws the first failure; the reason of `signal`
 */
export async function unpackAll(
  layers: readonly LayerInProgress[],
  options: {
    readonly signal?: AbortSignal;
    /** Takes over what was made whole before a failure. Default: it is let go. */
    readonly onFailure?: (held: readonly HeldLayer[]) => void;
  } = {},
): Promise<AsyncDisposable & { readonly held: readonly HeldLayer[] }> {
  const { signal, onFailure } = options;
  const failed = new AbortController();
  const both = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const chainIds = chainIdsOf(layers.map(({ diffId }) => diffId));
  const work = layers.map((layer, at) => ({ layer, at, ...Promise.withResolvers<HeldLayer>() }));
  for (const { layer, at, resolve } of work.toSorted((a, b) => b.layer.sizeBytes - a.layer.sizeBytes)) {
    const after = work[at - 1]?.promise;
    const making = layer.begin({ parent: chainIds[at - 1], signal: both, ...(after && { after }) });
    making.catch((error: unknown) => failed.abort(error));
    resolve(making);
  }
  const results = await Promise.allSettled(work.map(({ promise }) => promise));
  const held = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  const release = async () => {
    for (const layer of held) layer[Symbol.dispose]();
  };
  if (held.length < work.length) {
    if (onFailure === undefined) await release();
    else onFailure(held);
    signal?.throwIfAborted();
    throw failed.signal.reason;
  }
  return { held, [Symbol.asyncDispose]: release };
}

/** All layers of an archive's image at once. What is there already makes no progress. @throws {Fault} as `LayerStore.unpack` */
export async function unpackArchived(
  store: LayerStore,
  { config, layerBlobs }: ArchivedImage,
  { signal, onProgress = () => {} }: LoadOptions,
): Promise<AsyncDisposable & { readonly held: readonly HeldLayer[] }> {
  const chainIds = chainIdsOf(config.diffIds);
  const layers = config.diffIds.map((diffId, index): LayerInProgress => {
    const blob = layerBlobs[index];
    const chainId = chainIds[index];
    if (blob === undefined || chainId === undefined)
      throw new Error("an archived image has a blob for each of its layers");
    let readBytes = 0;
    const report = (currentBytes: number) => {
      readBytes = currentBytes;
      onProgress({ diffId, currentBytes, totalBytes: blob.sizeBytes });
    };
    return {
      diffId,
      sizeBytes: blob.sizeBytes,
      begin: async (context) => {
        const isThere = store.has(chainId);
        const held = await store.unpack({ ...context, diffId, blob, onProgress: report });
        if (!isThere && readBytes < blob.sizeBytes) report(blob.sizeBytes);
        return held;
      },
    };
  });
  return await unpackAll(layers, signal && { signal });
}
