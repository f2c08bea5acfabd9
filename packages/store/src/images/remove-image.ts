import { type Digest, formatFamiliar, formatReference, parseAnyReference, shortId } from "@hawser/oci";
import { storeFaults } from "../faults.ts";
import { findImage, isIdPrefix } from "./find-image.ts";
import type { ImageIndex, ImageName } from "./image-index.ts";

/** A container that was made from an image. */
export interface ImageUse {
  readonly container: string;
  readonly running: boolean;
}

export interface RemoveImageOptions {
  /** Also when several names or a stopped container use it. */
  readonly force?: boolean;
  /** A container that uses the image, a running one first. */
  readonly isUsed: (image: Digest) => ImageUse | undefined;
}

/** What went: a name, or an image or layer by its digest. */
export type RemovedItem = { readonly untagged: string } | { readonly deleted: string };

/**
 * Take a name from an image, or the image with all its names away, by the rules of Docker's `rmi`. Returns what went, in
 * order, and the image when it is no more.
 *
 * @throws {Fault} `not-found`, `conflict`; Docker's words
 */
export function removeImage(
  index: ImageIndex,
  nameOrId: string,
  options: RemoveImageOptions,
): { readonly removed: RemovedItem[]; readonly image?: Digest } {
  const id = findImage(index, nameOrId);
  const force = options.force === true;
  const use = options.isUsed(id);
  const names = index.namesOf(id);
  const removed: RemovedItem[] = [];
  const untag = (gone: readonly ImageName[]) => {
    if (gone.length === 0) return;
    index.remove(gone);
    for (const { reference } of gone) removed.push({ untagged: formatFamiliar(reference) });
  };

  const byName = !isIdPrefix(id, nameOrId);
  if (byName) {
    if (!force && use !== undefined && inOneRepository(names)) {
      throw storeFaults.IMAGE_REMOVE_NAME_IN_USE(nameOrId, use.container.slice(0, 12), shortId(id));
    }
    untag(namesThatGo(nameOrId, index, names));
    if (index.namesOf(id).length > 0) return { removed };
  } else if (inOneRepository(names)) {
    checkConflict(id, { use, force });
  } else if (!force && names.length > 0) {
    throw storeFaults.IMAGE_REMOVE_CONFLICT(
      shortId(id),
      false,
      "image is referenced in multiple repositories",
    );
  }
  if (use !== undefined && (use.running || !force)) {
    // Its last name is gone, as was asked; the container keeps the rest.
    if (byName) return { removed };
    checkConflict(id, { use, force });
  }
  const rest = index.namesOf(id);
  index.remove(rest, id);
  for (const { reference } of rest) removed.push({ untagged: formatFamiliar(reference) });
  removed.push({ deleted: id });
  return { removed, image: id };
}

function checkConflict(
  id: Digest,
  { use, force }: { readonly use: ImageUse | undefined; readonly force: boolean },
): void {
  if (use === undefined) return;
  const container = use.container.slice(0, 12);
  if (use.running) {
    throw storeFaults.IMAGE_REMOVE_CONFLICT(
      shortId(id),
      true,
      `image is being used by running container ${container}`,
    );
  }
  if (!force) {
    throw storeFaults.IMAGE_REMOVE_CONFLICT(
      shortId(id),
      false,
      `image is being used by stopped container ${container}`,
    );
  }
}

/** The name itself, and when it was the last tag of its repository also that repository's digests. */
function namesThatGo(text: string, index: ImageIndex, names: readonly ImageName[]): readonly ImageName[] {
  const any = parseAnyReference(text);
  if (any.kind === "digest") return [];
  const { domain, path, tag = "latest", digest } = any.reference;
  const own = index.findName(digest === undefined ? { domain, path, tag } : { domain, path, digest });
  if (own === undefined) return [];
  const others = names.filter(
    ({ reference }) =>
      reference.domain === domain &&
      reference.path === path &&
      formatReference(reference) !== formatReference(own.reference),
  );
  const isLastTag = digest === undefined && others.every(({ reference }) => reference.tag === undefined);
  return isLastTag ? [own, ...others] : [own];
}

/** At most one tag, and digests of its repository only. */
function inOneRepository(names: readonly ImageName[]): boolean {
  const tags = names.filter(({ reference }) => reference.tag !== undefined);
  const repositories = new Set(names.map(({ reference: { domain, path } }) => `${domain}/${path}`));
  return names.length > 0 && tags.length <= 1 && repositories.size === 1;
}
