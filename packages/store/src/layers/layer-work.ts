import type { FaultKind } from "@hawser/base";
import type { DigestAlgorithm } from "@hawser/oci";
import type { StoreLimits } from "../limits.ts";

/** A layer's archive, plain or compressed, for a worker to read. */
export interface ArchiveFile {
  /** Open. Stays the starter's. */
  readonly fd: number;
  /** What the archive hashes to as it is, SHA-256, where that is known. */
  readonly digest?: string;
  /**
   * The archive still comes: how long it will be, how much of it is there, and how to hash it as it is. Each message to the
   * worker then says how much is there.
   */
  readonly arriving?: {
    readonly sizeBytes: number;
    readonly arrivedBytes: number;
    readonly algorithm: DigestAlgorithm;
  };
  readonly limits: StoreLimits;
}

/** Expand an archive for a worker that makes its files. What it hashes to plain is found there. */
export interface ExpandWork {
  readonly kind: "expand";
  readonly archive: ArchiveFile;
  /** Of a `ChunkRing`. */
  readonly ring: SharedArrayBuffer;
}

/** Make the files of an archive. */
export interface UnpackWork {
  readonly kind: "unpack";
  /** It, or the `ChunkRing` to which another worker expands it. */
  readonly from: ArchiveFile | SharedArrayBuffer;
  /** An empty folder to make the layer in; becomes the worker's root. */
  readonly folder: string;
  readonly limits: StoreLimits;
}

/** Give folders that the layer's archive did not describe what those below have: `completeFolders`. */
export interface FoldersWork {
  readonly kind: "folders";
  readonly paths: readonly string[];
  readonly folder: string;
  readonly below: readonly string[];
}

/** What a worker is told, and after its last word once more. */
export type LayerWork = ExpandWork | UnpackWork | FoldersWork;

/** What a worker says: any number of `progress`, then, when it has left the folder, what its work has come to; or `failed`. */
export type LayerReport =
  | { readonly kind: "progress"; readonly readBytes: number }
  | {
      readonly kind: "expanded";
      /** Of the archive as it came, where it was still coming. */
      readonly archiveDigest: string | undefined;
    }
  | {
      readonly kind: "unpacked";
      /** Of the plain archive. */
      readonly diffId: string;
      /** As above, where this worker has read it. */
      readonly archiveDigest: string | undefined;
      readonly sizeBytes: number;
      readonly implicitFolders: readonly string[];
    }
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly fault: FaultKind; readonly problem: string };
