import { Fault, type FaultKind } from "@hawser/base";
import { formatReference, parseReference, withDefaultTag } from "@hawser/oci";
import { didYouMean } from "../dockerfile/did-you-mean.ts";
import { reworded } from "../dockerfile/faults.ts";
import { isReference } from "./plan-findings.ts";

/** What a registry may refuse an image with. */
const ofRegistries: ReadonlySet<FaultKind> = new Set([
  "not-found",
  "unavailable",
  "unauthenticated",
  "permission-denied",
]);

/** Images that are often mistyped (BuildKit's `commonImageNames`). */
const usualImages = ["alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora"].flatMap(
  (name) => [name, `${name}:latest`],
);

/**
 * Why an image is not to be had, in BuildKit's words; what is not about a registry stays what it is.
 *
 * @param stages by their names, one of which may be meant
 */
export function unresolved(reference: string, error: unknown, stages: readonly string[]): unknown {
  if (!Fault.is(error) || !ofRegistries.has(error.kind) || !isReference(reference)) return error;
  const full = formatReference(withDefaultTag(parseReference(reference)));
  const hint = didYouMean(reference, [...stages, ...usualImages]);
  const words = `${reference}: failed to resolve source metadata for ${full}: ${error.message}${hint}`;
  return reworded(error, words);
}
