import type { Digest, ExecutionConfig, Platform } from "@hawser/oci";

export type LoadEvent =
  /** Once per name, or once without when the image has none. */
  | { readonly kind: "loaded"; readonly id: Digest; readonly reference?: string }
  /** The name belonged to another image, which keeps its other names, if any. */
  | { readonly kind: "renamed"; readonly reference: string; readonly previousId: Digest };

/** How far the archive of a layer has been read. */
export interface LayerProgress {
  readonly diffId: Digest;
  readonly currentBytes: number;
  readonly totalBytes: number;
}

export interface LoadOptions {
  /** Which image to take from several for different machines. Default: this machine's. */
  readonly platform?: Platform;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LayerProgress) => void;
}

export interface ImportOptions {
  /** A name for the image; `latest` unless it has a tag. */
  readonly reference?: string;
  readonly changes?: Partial<ExecutionConfig>;
  readonly message?: string;
  /** Default: this machine's. */
  readonly platform?: Platform;
  readonly signal?: AbortSignal;
}

export interface CommitOptions {
  /** Id of the image below. */
  readonly parent: string;
  /** What containers of the image do. */
  readonly execution: ExecutionConfig;
  readonly author: string;
  readonly message: string;
  /** The step's text in the history. */
  readonly createdBy: string;
  /** A name for the image; `latest` unless it has a tag. */
  readonly reference?: string;
  readonly signal?: AbortSignal;
}
