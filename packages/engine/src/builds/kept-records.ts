import type { BuildCache, BuildRecord, Image } from "@hawser/store";

/** A kept result, and who else has to do with it now. */
export interface KeptRecord extends BuildRecord {
  /** Of the layers that it adds to what is below it. */
  readonly sizeBytes: number;
  /** Somebody works with its layers. */
  readonly isInUse: boolean;
  /** They are an image's, too, and stay with that when the record goes. */
  readonly isShared: boolean;
}

/** Newest use first. @param images all that there are */
export function listKept(cache: BuildCache, images: readonly Image[]): readonly KeptRecord[] {
  const inUse = cache.inUse();
  const shared = new Set(images.flatMap(({ layers }) => layers.map(({ chainId }) => chainId)));
  return cache.list().map((record) => ({
    ...record,
    sizeBytes: cache.sizeOf(record),
    isInUse: inUse.has(record.key),
    isShared: record.chainId !== undefined && shared.has(record.chainId),
  }));
}
