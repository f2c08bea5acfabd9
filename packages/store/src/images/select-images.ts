import { type Digest, formatReference, parseAnyReference, type Reference } from "@hawser/oci";
import { findImage, findName } from "./find-image.ts";
import type { ImageIndex, ImageName } from "./image-index.ts";

/** What an image is asked for by. */
export interface SavedName {
  /** With a tag; what it was asked for by its digest is not called by. */
  readonly reference?: Reference;
  /** The index that the name has. */
  readonly attested?: Digest | undefined;
}

/**
 * The images that names and ids mean together, each once, with the names that it is to be saved under: the one that was
 * asked for, all tags of a repository that was asked for without one, none for an id. Docker's rules.
 *
 * @throws {Fault} `not-found`, `invalid-argument`
 */
export function selectImages(
  index: ImageIndex,
  names: readonly string[],
): ReadonlyMap<Digest, readonly SavedName[]> {
  const selected = new Map<Digest, Map<string, SavedName>>();
  const add = (id: Digest, name?: ImageName) => {
    const savedNames = selected.get(id) ?? new Map<string, SavedName>();
    if (name !== undefined) {
      const { reference, attested } = name;
      if (reference.digest === undefined) savedNames.set(formatReference(reference), { reference, attested });
      else if (attested !== undefined) savedNames.set(attested, { attested });
    }
    selected.set(id, savedNames);
  };
  for (const text of names) {
    const any = parseAnyReference(text);
    const all = any.kind === "digest" ? [] : tagsOf(index, any.reference);
    for (const name of all) add(name.image, name);
    if (all.length === 0) add(findImage(index, text), findName(index, text));
  }
  return new Map([...selected].map(([id, savedNames]) => [id, [...savedNames.values()]]));
}

/** All names with a tag in a repository that was named without one. */
function tagsOf(index: ImageIndex, { domain, path, tag, digest }: Reference): readonly ImageName[] {
  if (tag !== undefined || digest !== undefined) return [];
  return index
    .list()
    .flatMap(({ id }) => index.namesOf(id))
    .filter(
      ({ reference }) =>
        reference.domain === domain && reference.path === path && reference.tag !== undefined,
    );
}
