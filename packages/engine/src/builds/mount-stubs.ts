import { countFolders } from "@hawser/store";

/**
 * The folders above mounts' places that the files below do not have, without their leading slash: whoever mounts makes them, and
 * while they are empty they are nobody's (BuildKit's `MountStubsCleaner`).
 *
 * @param targets absolute
 * @param files.lower folders of the layers below; none: nothing is there
 */
export async function mountStubs(
  targets: readonly string[],
  { lower, signal }: { readonly lower: readonly string[]; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const target of targets) {
    const above = target.split("/").filter((name) => name !== "");
    above.pop();
    if (above.length === 0) continue;
    const there = lower.length === 0 ? 0 : await countFolders({ kind: "layers", lower }, above, { signal });
    for (let length = there + 1; length <= above.length; length++)
      found.add(above.slice(0, length).join("/"));
  }
  return [...found];
}
