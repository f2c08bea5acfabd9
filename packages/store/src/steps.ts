import type { ReachStep } from "@hawser/base";

/** The store's steps: what is on the disk when each is reached. */
export const storeSteps = [
  /** An archive's files are staged. */
  "load.staged",
  "load.unpacked",
  /** Its blobs have their names. */
  "load.kept",
  "load.recorded",
  /** The layers of a pulled image come; it has a configuration. */
  "pull.begun",
  "pull.unpacked",
  "pull.kept",
  "pull.recorded",
  /** A new layer's archive is staged; the same for `import`, and for files of a build that come as one. */
  "commit.staged",
  "commit.unpacked",
  "commit.kept",
  "commit.recorded",
  /** The archive of a layer that a build has made is staged; it has its name; the layer has it. */
  "seal.staged",
  "seal.kept",
  "seal.recorded",
  /** The layer is there under the name that others know. */
  "seal.placed",
  "tag.recorded",
  /** A layer in another compression has its name, and nothing speaks of it. */
  "encode.kept",
  "encode.recorded",
  /** An image's names are gone. */
  "rmi.unnamed",
  /** A layer has its folder, and no row. */
  "layer.placed",
  "layer.recorded",
  /** Layers have folders, and no rows any more. */
  "layer.forgotten",
  "layer.discarded",
  "blob.removed",
  "snapshot.made",
  "snapshot.recorded",
  "snapshot.forgotten",
  "snapshot.discarded",
] as const;

export type StoreStep = (typeof storeSteps)[number];

export type ReachStoreStep = ReachStep<StoreStep>;
