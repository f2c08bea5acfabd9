import {
  type Digest,
  digestHex,
  formatFamiliar,
  parseAnyReference,
  repositoryOf,
  withDefaultTag,
} from "@hawser/oci";
import { storeFaults } from "../faults.ts";
import type { ImageIndex, ImageName } from "./image-index.ts";

/** The name that is meant; none for an id. With both a tag and a digest, the digest decides, and the tag is for people. */
export function findName(index: ImageIndex, nameOrId: string): ImageName | undefined {
  const any = parseAnyReference(nameOrId);
  if (any.kind === "digest") return undefined;
  const { digest, ...tagged } = withDefaultTag(any.reference);
  return index.findName(digest === undefined ? tagged : { ...repositoryOf(tagged), digest });
}

/**
 * The image that `nameOrId` means, Docker's way: a full digest is an id; else a name (with its tag, `latest`, or its
 * digest); else the beginning of an id, if only one begins so.
 *
 * @throws {Fault} `not-found`, `invalid-argument` when it can be neither; Docker's words
 */
export function findImage(index: ImageIndex, nameOrId: string): Digest {
  const any = parseAnyReference(nameOrId);
  if (any.kind === "digest") {
    if (index.get(any.digest) !== undefined) return any.digest;
    throw storeFaults.IMAGE_NOT_FOUND(any.digest);
  }
  const name = findName(index, nameOrId);
  if (name !== undefined) return name.image;
  const byId = index.list().filter(({ id }) => isIdPrefix(id, nameOrId));
  if (byId[0] !== undefined && byId.length === 1) return byId[0].id;
  throw storeFaults.IMAGE_NOT_FOUND(formatFamiliar(withDefaultTag(any.reference)));
}

/** Whether `text` is the beginning of `id`, with or without its algorithm. */
export function isIdPrefix(id: Digest, text: string): boolean {
  return digestHex(id).startsWith(text) || (text.includes(":") && id.startsWith(text));
}
