import { type Digest, parseReference, repositoryOf } from "@hawser/oci";
import { type GivenBlob, type GivenManifest, repositoryTarget } from "../cache/blob-place.ts";
import type { ExportContext } from "./export-result.ts";

/** A manifest or an index as its client is told of it. */
export interface DescribedManifest {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An image, or an index of several, written down for others. */
export interface Written {
  readonly manifest: GivenManifest;
  /** What an index names. */
  readonly manifests?: readonly GivenManifest[];
  readonly blobs: readonly GivenBlob[];
}

export interface PushOptions {
  readonly names: readonly string[];
  /** The names' tags are the manifest's from then on. */
  readonly isTop: boolean;
  /** The image of this engine that has the manifest's digest among its names from then on. */
  readonly keptAs: Digest | undefined;
  /** The manifest's digest, where it is an index that the image keeps. */
  readonly attested?: Digest | undefined;
  /** Told of each name. */
  readonly onPush: (name: string, manifest: DescribedManifest) => void;
}

/** Give registries what is written down, under each name. @throws {Fault} what a registry says */
export async function pushWritten(
  { manifest, manifests = [], blobs }: Written,
  { names, isTop, keptAs, attested, onPush }: PushOptions,
  { registry, images, access, signal, collaborators }: ExportContext,
): Promise<void> {
  for (const name of names) {
    const reference = parseReference(name);
    const repository = await registry.openRepository(reference, await access(reference.domain));
    const target = repositoryTarget(name, repository);
    for (const blob of blobs) await target.put(blob, signal);
    for (const part of manifests) await target.putManifest(part, { isTop: false, signal });
    collaborators.reach("build.sent");
    await target.putManifest(manifest, { isTop, signal });
    collaborators.reach("build.named");
    if (keptAs !== undefined) {
      const { digest } = manifest;
      images.nameByDigest({ reference: { ...repositoryOf(reference), digest }, attested }, keptAs);
    }
    onPush(name, describeManifest(manifest));
  }
}

export function describeManifest({ mediaType, digest, bytes }: GivenManifest): DescribedManifest {
  return { mediaType, digest, size: bytes.length };
}
