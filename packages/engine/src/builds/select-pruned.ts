import type { BuildRecord } from "@hawser/store";

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

/** Of the results that may go, and that no build uses, those that have to until the rest is within the bound: the longest unused first. */
export function selectPruned(
  records: readonly BuildRecord[],
  options: {
    readonly wanted: (candidate: PruneCandidate) => boolean;
    readonly room: PruneRoom;
    readonly freeBytes: number;
    /** Keys of those that builds use. */
    readonly inUse: ReadonlySet<string>;
    readonly sizeOf: (record: BuildRecord) => number;
  },
): readonly BuildRecord[] {
  const { wanted, room, freeBytes, inUse, sizeOf } = options;
  const sizes = new Map(records.map((record) => [record.key, sizeOf(record)]));
  let usedBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const mayStay = keptBytes(room, { usedBytes, freeBytes });
  const candidates = records
    .filter(({ key, description, lastUsedMs }) => {
      const kept = { id: key, description, lastUsedMs, type: "regular", isShared: false };
      return !inUse.has(key) && wanted({ ...kept, isInUse: false });
    })
    .toSorted((a, b) => a.lastUsedMs - b.lastUsedMs);
  if (!isBounded(room)) return candidates;
  return candidates.filter(({ key }) => {
    if (usedBytes <= mayStay) return false;
    usedBytes -= sizes.get(key) ?? 0;
    return true;
  });
}
