import type { ChainId, Digest, ImageConfig } from "@hawser/oci";
import type { Layer } from "../layers/layer-store.ts";

/** An image of the store, as it was when it was asked for. */
export interface Image {
  /** Digest of its configuration. */
  readonly id: Digest;
  /** Digest of its manifest, where it came with one. */
  readonly manifestDigest?: Digest;
  /** Tags as people write them, in order: `busybox:latest`. */
  readonly names: readonly string[];
  /** `busybox@sha256:...`, in order. */
  readonly repoDigests: readonly string[];
  readonly config: ImageConfig;
  /** Of all its layers; absent when it has none. */
  readonly chainId?: ChainId;
  readonly diffIds: readonly Digest[];
  /** Lowest first. */
  readonly layers: readonly Layer[];
  /** Of all its layers' files. */
  readonly sizeBytes: number;
  /** What the configuration says; 1970 when it says nothing. */
  readonly createdAt: Date;
  /** When it last got a name here. */
  readonly lastTaggedAt?: Date;
}
