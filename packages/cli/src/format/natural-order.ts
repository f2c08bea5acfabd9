/** Order of names as people expect it, as Docker's client has it: runs of digits by their value, all else by its bytes. */
export function compareNaturally(a: string, b: string): number {
  const [first, second] = [a, b].map((text) => text.split(/(\d+)/)) as [string[], string[]];
  for (let at = 0; at < Math.max(first.length, second.length); at++) {
    const [one = "", other = ""] = [first[at], second[at]];
    if (one === other) continue;
    // every second part is a number
    const difference = at % 2 === 1 ? BigInt(one || 0) - BigInt(other || 0) : 0n;
    if (difference !== 0n) return difference < 0n ? -1 : 1;
    return Buffer.compare(Buffer.from(one), Buffer.from(other));
  }
  return 0;
}
