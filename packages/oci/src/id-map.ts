/** `count` ids: `inside` in a container is `outside` on the host, the next the next, and so on. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** Whom a container's users and groups are on the host (user_namespaces(7)). */
export interface UserMap {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

/** Who a container's id is on the host; `undefined`: nobody. */
export function outsideOf(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ inside, count }) => id >= inside && id < inside + count);
  return range && range.outside + (id - range.inside);
}

/** Who an id of the host's is in a container; without one the kernel's nobody (`overflowuid`). */
export function insideOf(ranges: readonly IdRange[], id: number): number {
  const range = ranges.find(({ outside, count }) => id >= outside && id < outside + count);
  return range === undefined ? 65534 : range.inside + (id - range.outside);
}
