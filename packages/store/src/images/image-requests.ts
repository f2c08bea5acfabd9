import type { Digest, ExecutionConfig, Platform, Reference } from "@hawser/oci";
import type { BlobOrigin } from "../content/incoming-blob.ts";
import type { LayerNews } from "./receive-layers.ts";

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
  /** Which image to take from several for different machines; one that is for another is refused. Default: this machine's. */
  readonly platform?: Platform;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LayerProgress) => void;
}

/** An image of a registry: its documents, which were checked, and where its layers are. */
export interface RemoteImage {
  readonly manifest: { readonly digest: Digest; readonly bytes: Uint8Array };
  readonly config: { readonly digest: Digest; readonly bytes: Uint8Array };
  /** Lowest first. */
  readonly layers: readonly BlobOrigin[];
  /** What it is called from now on: with a tag, or with a digest. */
  readonly references: readonly Reference[];
}

export interface ReceiveOptions {
  readonly signal?: AbortSignal;
  /** @param index of the layer, from the lowest */
  readonly onNews?: (index: number, news: LayerNews) => void;
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
