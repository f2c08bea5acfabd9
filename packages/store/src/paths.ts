import { join } from "node:path";
import { type Digest, digestAlgorithm, digestHex } from "@hawser/oci";

/**
 * The store's part of the data root. Nobody else joins its paths.
 *
 *     store.db                     images, names, layers, snapshots
 *     content/<algorithm>/<hex>    blobs, immutable, named by what they hash to
 *     content/ingest/<random>      blobs on their way; removed at start
 *     layers/0/diff                the empty layer: overlay wants at least one lower folder
 *     layers/<n>/diff              unpacked layers, immutable
 *     layers/ingest/<random>       layers on their way in or out; removed at start
 *     snapshots/<n>/{diff,work}    writable layers of containers
 *
 * Numbers are never used twice in the life of a process. They are short because overlay's options hold many of them.
 */
export interface StorePaths {
  readonly root: string;
  readonly database: string;
  readonly content: string;
  readonly contentIngest: string;
  readonly layers: string;
  readonly layersIngest: string;
  readonly snapshots: string;
  blob(digest: Digest): string;
  ingestedBlob(name: string): string;
  ingestedLayer(name: string): string;
  ingestedLayerDiff(name: string): string;
  layer(number: number): string;
  layerDiff(number: number): string;
  snapshot(number: number): string;
  snapshotDiff(number: number): string;
  snapshotWork(number: number): string;
}

export function storePaths(root: string): StorePaths {
  const content = join(root, "content");
  const layers = join(root, "layers");
  const snapshots = join(root, "snapshots");
  const contentIngest = join(content, "ingest");
  const layersIngest = join(layers, "ingest");
  return {
    root,
    database: join(root, "store.db"),
    content,
    contentIngest,
    layers,
    layersIngest,
    snapshots,
    blob: (digest) => join(content, digestAlgorithm(digest), digestHex(digest)),
    ingestedBlob: (name) => join(contentIngest, name),
    ingestedLayer: (name) => join(layersIngest, name),
    ingestedLayerDiff: (name) => join(layersIngest, name, "diff"),
    layer: (number) => join(layers, String(number)),
    layerDiff: (number) => join(layers, String(number), "diff"),
    snapshot: (number) => join(snapshots, String(number)),
    snapshotDiff: (number) => join(snapshots, String(number), "diff"),
    snapshotWork: (number) => join(snapshots, String(number), "work"),
  };
}
