import { type ChainId, type Digest, formatFamiliar, type ImageConfig, type Reference } from "@hawser/oci";
import { storeFaults } from "../faults.ts";
import type { LayerStore } from "../layers/layer-store.ts";
import type { Layer } from "../layers/layer-table.ts";
import type { ImageIndex, ImageRecord } from "./image-index.ts";

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

/** An image of the index, with its names and layers. @throws {Fault} `not-found` */
export function getImage(
  parts: { readonly index: ImageIndex; readonly layers: LayerStore },
  imageId: Digest,
): Image {
  const { id, manifestDigest, config, chainIds } = getRecord(parts.index, imageId);
  const names = parts.index.namesOf(id);
  const layers = chainIds.map((layer) => parts.layers.get(layer));
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

/** @throws {Fault} `not-found` */
export function getRecord(index: ImageIndex, id: Digest): ImageRecord {
  const record = index.get(id);
  if (record === undefined) throw storeFaults.IMAGE_NOT_FOUND(id);
  return record;
}
