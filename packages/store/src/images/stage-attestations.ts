import { type Descriptor, type Digest, maxManifestBytes, parseManifest } from "@hawser/oci";
import type { StagedBlob } from "../content/content-store.ts";
import { readStaged } from "../content/read-staged.ts";
import { storeFaults } from "../faults.ts";
import type { StoreLimits } from "../limits.ts";

/** Gets what a descriptor says, checked. */
export type StageDescribed = (of: Descriptor, kind: "manifest" | "blob") => Promise<StagedBlob>;

/**
 * All that attestation manifests are made of, themselves included, each once.
 *
 * @throws {Fault} `invalid-argument` for what is no manifest, or more than `limits` allow; what `stage` throws
 */
export async function stageAttestations(
  manifests: readonly Descriptor[],
  { limits, stage }: { readonly limits: StoreLimits; readonly stage: StageDescribed },
): Promise<readonly StagedBlob[]> {
  const { maxAttestations, maxAttestationBlobs, maxAttestationBytes } = limits;
  if (manifests.length > maxAttestations)
    throw storeFaults.ATTESTATIONS_REFUSED(
      `${manifests.length} are there, at most ${maxAttestations} are allowed`,
    );
  const staged = new Map<Digest, StagedBlob>();
  let sizeBytes = 0;
  const take = async (of: Descriptor, kind: "manifest" | "blob") => {
    const known = staged.get(of.digest);
    if (known !== undefined) return known;
    sizeBytes += of.sizeBytes;
    if (staged.size >= maxAttestationBlobs || sizeBytes > maxAttestationBytes) {
      throw storeFaults.ATTESTATIONS_REFUSED(
        `at most ${maxAttestationBlobs} blobs of ${maxAttestationBytes} bytes together are allowed`,
      );
    }
    const blob = await stage(of, kind);
    staged.set(of.digest, blob);
    return blob;
  };
  for (const of of manifests) {
    const bytes = await readStaged(await take(of, "manifest"), {
      what: of.digest,
      maxBytes: maxManifestBytes,
    });
    const manifest = parseManifest(bytes);
    if (manifest.kind !== "manifest") throw storeFaults.ATTESTATIONS_REFUSED(`${of.digest} is no manifest`);
    for (const part of [manifest.config, ...manifest.layers]) await take(part, "blob");
  }
  return [...staged.values()];
}
