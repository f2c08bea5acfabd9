/** Names that differ in more characters are other names. */
const maxDistance = 2;

/**
 * Of the names that there are, the one that is nearest to one that is not there (BuildKit's `suggest`).
 *
 * @param options.prefix how a name is shown: `$`
 * @param options.ignoreCase names are the same in capitals: the one that is shown is in those of the name that was given
 * @returns ` (did you mean $PATH?)`, or nothing; nothing also where the name is one of them
 */
export function didYouMean(
  name: string,
  known: Iterable<string>,
  { prefix = "", ignoreCase = false }: { readonly prefix?: string; readonly ignoreCase?: boolean } = {},
): string {
  const wanted = ignoreCase ? name.toLowerCase() : name;
  let [nearest, least] = ["", maxDistance + 1];
  for (const one of known) {
    const other = ignoreCase ? one.toLowerCase() : one;
    if (other === wanted) return "";
    const distance = distanceOf(wanted, other);
    if (distance < least) [nearest, least] = [other, distance];
  }
  if (nearest === "") return "";
  const shown =
    ignoreCase && name === name.toUpperCase() && name !== wanted ? nearest.toUpperCase() : nearest;
  return ` (did you mean ${prefix}${shown}?)`;
}

/** How many characters have to be changed, added or taken away (Levenshtein); `maxDistance + 1` stands for all that is more. */
function distanceOf(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > maxDistance) return maxDistance + 1;
  let above = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const changed = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      line.push(Math.min(changed, (above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1));
    }
    if (Math.min(...line) > maxDistance) return maxDistance + 1;
    above = line;
  }
  return above[b.length] ?? 0;
}
