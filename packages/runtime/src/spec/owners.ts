/** The ids that Linux has: all of 32 bits but the last, which stands for none. */
const idCount = 2 ** 32 - 1;

/**
 * A map, as `/proc/<pid>/uid_map` wants it, under which two ids change places and all others stay: what belongs to the one
 * is seen as the other's, and nothing becomes unreachable.
 */
export function swapIds(one: number, other: number): string {
  const [low, high] = one < other ? [one, other] : [other, one];
  const ranges =
    low === high
      ? [[0, 0, idCount]]
      : [
          [0, 0, low],
          [low, high, 1],
          [low + 1, low + 1, high - low - 1],
          [high, low, 1],
          [high + 1, high + 1, idCount - high - 1],
        ];
  return ranges
    .filter(([, , count]) => count !== 0)
    .map((range) => range.join(" "))
    .join("\n");
}
