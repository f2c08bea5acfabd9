import { type Digest, formatReference, parseAnyReference, type Reference, withDefaultTag } from "@hawser/oci";
import { findImage } from "./find-image.ts";
import type { ImageIndex } from "./image-index.ts";

/**
 * The images that names and ids mean together, each once, with the names that it is to be saved under: the one that was
 * asked for, all tags of a repository that was asked for without one, none for an id or a digest. Docker's rules.
 *
 * @throws {Fault} `not-found`, `invalid-argument`
 */
export function selectImages(
  index: ImageIndex,
  names: readonly string[],
): ReadonlyMap<Digest, readonly Reference[]> {
  const selected = new Map<Digest, Map<string, Reference>>();
  const add = (id: Digest, reference?: Reference) => {
    const references = selected.get(id) ?? new Map<string, Reference>();
    if (reference !== undefined) references.set(formatReference(reference), reference);
    selected.set(id, references);
  };
  for (const name of names) {
    const any = parseAnyReference(name);
    const all = any.kind === "digest" ? [] : tagsOf(index, any.reference);
    for (const [id, reference] of all) add(id, reference);
    if (all.length > 0) continue;
    const id = findImage(index, name);
    const tagged = any.kind === "digest" ? undefined : withDefaultTag(any.reference);
    const isOwn =
      tagged?.digest === undefined && tagged !== undefined && index.findName(tagged)?.image === id;
    add(id, isOwn ? tagged : undefined);
  }
  return new Map([...selected].map(([id, references]) => [id, [...references.values()]]));
}

/** All names with a tag in a repository that was named without one. */
function tagsOf(index: ImageIndex, { domain, path, tag, digest }: Reference): [Digest, Reference][] {
  if (tag !== undefined || digest !== undefined) return [];
  return index
    .list()
    .flatMap(({ id }) => index.namesOf(id))
    .filter(
      ({ reference }) =>
        reference.domain === domain && reference.path === path && reference.tag !== undefined,
    )
    .map(({ image, reference }): [Digest, Reference] => [image, reference]);
}
