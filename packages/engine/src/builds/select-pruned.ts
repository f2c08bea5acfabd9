import type { KeptRecord } from "./kept-records.ts";

/** What a prune leaves, in bytes; 0 is no bound. */
export interface PruneRoom {
  /** So much is kept in any case. */
  readonly reservedBytes: number;
  /** More than that goes. */
  readonly maxUsedBytes: number;
  /** As much as this is to be free on the disk afterwards. */
  readonly minFreeBytes: number;
}

export const noRoom: PruneRoom = { reservedBytes: 0, maxUsedBytes: 0, minFreeBytes: 0 };

export function isBounded({ reservedBytes, maxUsedBytes, minFreeBytes }: PruneRoom): boolean {
  return reservedBytes + maxUsedBytes + minFreeBytes > 0;
}

/** What a user tells kept things apart by. */
export interface PruneCandidate {
  readonly id: string;
  readonly description: string;
  /** BuildKit's: `regular`, `exec.cachemount`, `source.local`, `source.git.checkout`, `source.http`. */
  readonly type: string;
  readonly isShared: boolean;
  readonly isInUse: boolean;
  readonly lastUsedMs: number;
}

/** How many bytes of results may stay (BuildKit's rules of `buildctl prune`). */
export function keptBytes(
  room: PruneRoom,
  { usedBytes, freeBytes }: { readonly usedBytes: number; readonly freeBytes: number },
): number {
  const { reservedBytes, maxUsedBytes, minFreeBytes } = room;
  if (maxUsedBytes === 0 && minFreeBytes === 0) return reservedBytes;
  const most = maxUsedBytes === 0 ? usedBytes : Math.min(usedBytes, maxUsedBytes);
  const missing = minFreeBytes === 0 ? 0 : Math.max(0, minFreeBytes - freeBytes);
  return Math.max(most - missing, reservedBytes);
}

/**
 * Of the results that may go, and that no build uses, those that have to until the rest is within the bound: the longest
 * unused first. What images share takes no room that a prune could give back, so it counts for nothing.
 */
export function selectPruned(
  records: readonly KeptRecord[],
  options: {
    readonly wanted: (candidate: PruneCandidate) => boolean;
    readonly room: PruneRoom;
    readonly freeBytes: number;
  },
): readonly KeptRecord[] {
  const { wanted, room, freeBytes } = options;
  const ownBytes = ({ isShared, sizeBytes }: KeptRecord) => (isShared ? 0 : sizeBytes);
  let usedBytes = records.reduce((sum, record) => sum + ownBytes(record), 0);
  const mayStay = keptBytes(room, { usedBytes, freeBytes });
  const candidates = records
    .filter(
      ({ isInUse, ...record }) => !isInUse && wanted({ ...record, isInUse, id: record.key, type: "regular" }),
    )
    .toSorted((a, b) => a.lastUsedMs - b.lastUsedMs);
  if (!isBounded(room)) return candidates;
  return candidates.filter((record) => {
    if (usedBytes <= mayStay) return false;
    usedBytes -= ownBytes(record);
    return true;
  });
}
