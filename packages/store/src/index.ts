export { withoutForeignCompression } from "./archive/foreign-compression.ts";
export { isArchive } from "./archive/is-archive.ts";
export { type ImageArchive, type LayerSource, writeImageArchive } from "./archive/write-image-archive.ts";
export type { BuildCache, BuildRecord } from "./build-cache.ts";
export type { BlobInfo, ContentStore, IngestOptions } from "./content/content-store.ts";
export type { BlobOrigin } from "./content/incoming-blob.ts";
export { diskFault } from "./disk-fault.ts";
export { type FileChange, listChanges } from "./files/changes.ts";
export type { FileStat } from "./files/file-stat.ts";
export type { FileNote, FilesRoot, ListedEntry, NewFolder } from "./files/files-job.ts";
export type { FilesOptions, FilesPlace } from "./files/files-run.ts";
export { OpenFiles } from "./files/open-files.ts";
export {
  copyFile,
  countFolders,
  measureFiles,
  type OpenArchive,
  openArchive,
  readFiles,
  removePath,
  statPath,
  type WrittenFolder,
  writeArchive,
} from "./files/run-files-job.ts";
export { type ModeWish, modeChange } from "./files/symbolic-mode.ts";
export type { DistributableImage, DistributableLayer } from "./images/distribute-image.ts";
export type { Image } from "./images/image.ts";
export type { ImageLayers } from "./images/image-layers.ts";
export type { ImageMaker } from "./images/image-maker.ts";
export type {
  CommitOptions,
  ImportOptions,
  IndexOrigin,
  LayerProgress,
  LoadEvent,
  ReceiveOptions,
  RemoteImage,
} from "./images/image-requests.ts";
export type { ImageStore } from "./images/image-store.ts";
export type { KeptIndex } from "./images/kept-index.ts";
export type { LayerNews, LayerToReceive } from "./images/receive-layers.ts";
export type { ImageUse, RemovedItem, RemoveImageOptions } from "./images/remove-image.ts";
export { keepRoom, logPages } from "./keep-room.ts";
export {
  type EncodedLayer,
  type LayerCompression,
  type LayerEncoding,
  layerMediaType,
} from "./layers/encode-layer.ts";
export type { HeldLayer } from "./layers/layer-store.ts";
export type { Layer, SealedLayer } from "./layers/layer-table.ts";
export { defaultStoreLimits, type StoreLimits } from "./limits.ts";
export { prepareWorkers } from "./prepare-workers.ts";
export { removeTree } from "./remove-tree.ts";
export { forgetVolatile } from "./snapshots/forget-volatile.ts";
export type { OverlayMount, Snapshotter } from "./snapshots/snapshotter.ts";
export { type StoreStep, storeSteps } from "./steps.ts";
export { Store, type StoreOptions } from "./store.ts";
