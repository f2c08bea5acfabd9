import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import type { Index } from "./manifest.ts";
import { isManifestMediaType } from "./media-type.ts";

const kindAnnotation = "vnd.docker.reference.type";
const subjectAnnotation = "vnd.docker.reference.digest";
const attestationKind = "attestation-manifest";

/**
 * What an index says beside the descriptor of an attestation manifest: which image it is about.
 * https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
 */
export function attestationAnnotations(image: Digest): Readonly<Record<string, string>> {
  return { [kindAnnotation]: attestationKind, [subjectAnnotation]: image };
}

/** The attestation manifests of an index that lists an image, what is said of it, and nothing else; `undefined`: it lists more. */
export function findAttestations(index: Index, image: Digest): readonly Descriptor[] | undefined {
  const others = index.manifests.filter(({ digest }) => digest !== image);
  const areAbout = others.every(
    ({ annotations }) =>
      annotations[kindAnnotation] === attestationKind && annotations[subjectAnnotation] === image,
  );
  const areManifests = index.manifests.every(({ mediaType }) => isManifestMediaType(mediaType));
  return areAbout && areManifests ? others : undefined;
}
