/**
 * Hold differences against a list of those that are meant: what nobody accepted, and entries that nothing needs, so that the list
 * only shrinks. The first entry that fits counts.
 */
export function judgeDifferences<Difference, Accepted>(
  differences: readonly Difference[],
  accepted: readonly Accepted[],
  fits: (entry: Accepted, difference: Difference) => boolean,
): { readonly unexplained: readonly Difference[]; readonly unneeded: readonly Accepted[] } {
  const used = new Set<Accepted>();
  const unexplained = differences.filter((difference) => {
    const entry = accepted.find((one) => fits(one, difference));
    if (entry !== undefined) used.add(entry);
    return entry === undefined;
  });
  return { unexplained, unneeded: accepted.filter((entry) => !used.has(entry)) };
}

/** A whole text in which `*` stands for anything. */
export function compileGlob(pattern: string): RegExp {
  const literal = pattern.split("*").map((part) => RegExp.escape(part));
  return new RegExp(`^${literal.join(".*")}$`, "s");
}
