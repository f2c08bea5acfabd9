import type { ChainId } from "@hawser/oci";
import type { BuildCache, BuildRecord, ImageStore } from "@hawser/store";

/** A kept result, and who else has to do with it now. */
export interface KeptRecord extends BuildRecord {
  /** Of the layers that it adds to what is below it. */
  readonly sizeBytes: number;
  /** Somebody works with its layers. */
  readonly isInUse: boolean;
  /** They are an image's, too, and stay with that when the record goes. */
  readonly isShared: boolean;
}

/** Newest use first. */
export function listKept(cache: BuildCache, images: ImageStore): readonly KeptRecord[] {
  const inUse = cache.inUse();
  const shared = new Set(images.list().flatMap(({ layers }) => layers.map(({ chainId }) => chainId)));
  const names = images.layers.sealedNames();
  const isImages = (chainId: ChainId) => {
    const sealed = names.get(chainId);
    return sealed !== undefined && shared.has(sealed);
  };
  return cache.list().map((record) => ({
    ...record,
    sizeBytes: cache.sizeOf(record),
    isInUse: inUse.has(record.key),
    isShared: record.chainId !== undefined && isImages(record.chainId),
  }));
}
