import { formatFamiliar, parseAnyReference, withDefaultTag } from "@hawser/oci";

/**
 * The name of an image as people write it, with its tag: `busybox` → `busybox:latest`. `undefined` for an image that is
 * named by its id.
 *
 * @throws {Fault} `invalid-argument` for what is no name of an image.
 */
export function familiarImageName(text: string): string | undefined {
  const any = parseAnyReference(text);
  return any.kind === "digest" ? undefined : formatFamiliar(withDefaultTag(any.reference));
}
