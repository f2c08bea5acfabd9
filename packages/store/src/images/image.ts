import { type ChainId, type Digest, formatFamiliar, type ImageConfig, type Reference } from "@hawser/oci";
import type { Layer } from "../layers/layer-store.ts";
import type { ImageName, ImageRecord } from "./image-index.ts";

/** An image of the store, as it was when it was asked for. */
export interface Image {
  /** Digest of its configuration. */
  readonly id: Digest;
  /** Digest of its manifest, where it came with one. */
  readonly manifestDigest?: Digest;
  /** Tags as people write them, in order: `busybox:latest`. */
  readonly names: readonly string[];
  /** `busybox@sha256:...`, in order. */
  readonly repoDigests: readonly string[];
  readonly config: ImageConfig;
  /** Of all its layers; absent when it has none. */
  readonly chainId?: ChainId;
  readonly diffIds: readonly Digest[];
  /** Lowest first. */
  readonly layers: readonly Layer[];
  /** Of all its layers' files. */
  readonly sizeBytes: number;
  /** What the configuration says; 1970 when it says nothing. */
  readonly createdAt: Date;
  /** When it last got a name here. */
  readonly lastTaggedAt?: Date;
}

/** What a record of the index is, with its names and layers. */
export function imageOf(
  { id, manifestDigest, config, chainIds }: ImageRecord,
  { names, layers }: { readonly names: readonly ImageName[]; readonly layers: readonly Layer[] },
): Image {
  const chainId = chainIds.at(-1);
  const lastTaggedMs = Math.max(...names.map(({ taggedAt }) => taggedAt.getTime()));
  const texts = (wanted: (reference: Reference) => boolean) =>
    names.filter(({ reference }) => wanted(reference)).map(({ reference }) => formatFamiliar(reference));
  return {
    id,
    ...(manifestDigest !== undefined && { manifestDigest }),
    names: texts(({ digest }) => digest === undefined),
    repoDigests: texts(({ digest }) => digest !== undefined),
    config,
    ...(chainId !== undefined && { chainId }),
    diffIds: config.diffIds,
    layers,
    sizeBytes: layers.reduce((sum, layer) => sum + layer.sizeBytes, 0),
    createdAt: config.created ?? new Date(0),
    ...(names.length > 0 && { lastTaggedAt: new Date(lastTaggedMs) }),
  };
}
