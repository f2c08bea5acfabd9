/**
 * `--cap-add` and `--cap-drop` as the engine wants them: upper case, `CAP_` before each, in order and once; what is both
 * added and dropped is added.
 */
export function effectiveCapabilities(
  add: readonly string[],
  drop: readonly string[],
): { readonly add: readonly string[]; readonly drop: readonly string[] } {
  const added = normalize(add);
  const dropped = normalize(drop);
  return {
    add: added.includes("ALL") ? ["ALL"] : added,
    drop: dropped.includes("ALL")
      ? ["ALL"]
      : dropped.filter((name) => !added.includes(name) || added.includes("ALL")),
  };
}

/** `net_admin` → `CAP_NET_ADMIN`; `all` → `ALL`. */
export function normalizeCapability(text: string): string {
  const name = text.trim().toUpperCase();
  return name === "ALL" || name.startsWith("CAP_") ? name : `CAP_${name}`;
}

function normalize(names: readonly string[]): readonly string[] {
  return [...new Set(names.map(normalizeCapability))].toSorted();
}
