import { defaultTarLimits } from "@hawser/base";

/** Bounds on what foreign archives may make this machine do. Each is far above any image that is known to exist. */
export interface StoreLimits {
  /** What one archive or layer may expand to. */
  readonly maxExpandedBytes: number;
  /** How many times its size an archive may expand to, once it has expanded to `ratioFromBytes`. gzip reaches 1032. */
  readonly maxExpansionRatio: number;
  readonly ratioFromBytes: number;
  /** Entries of one archive or layer. */
  readonly maxEntries: number;
  /** Layers of one image; overlay takes 500. */
  readonly maxLayers: number;
  /** Images of one archive. */
  readonly maxImages: number;
  /** What is said of one image: manifests of it, their blobs, and all bytes together. */
  readonly maxAttestations: number;
  readonly maxAttestationBlobs: number;
  readonly maxAttestationBytes: number;
}

export const defaultStoreLimits: StoreLimits = {
  maxExpandedBytes: 256 * 2 ** 30,
  maxExpansionRatio: 1500,
  ratioFromBytes: 2 ** 30,
  maxEntries: defaultTarLimits.maxEntries,
  maxLayers: 500,
  maxImages: 1000,
  maxAttestations: 16,
  maxAttestationBlobs: 1000,
  maxAttestationBytes: 2 ** 30,
};
