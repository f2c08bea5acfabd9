import type { Fault } from "@hawser/base";
import type { Descriptor, Digest, ExecutionConfig, Platform, Reference } from "@hawser/oci";
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

/** An index that an image came by: it lists that, what is said of it, and nothing else. */
export interface IndexOrigin {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  /** The manifests of what is said. */
  readonly attestations: readonly Descriptor[];
  /** The bytes of such a manifest, or of a blob that it names; they are the reader's to check. */
  open(
    of: Descriptor,
    options: { readonly kind: "manifest" | "blob"; readonly signal: AbortSignal },
  ): AsyncIterable<Uint8Array>;
}

/** An image of a registry: its manifest, which was checked, and where the rest is. */
export interface RemoteImage {
  readonly manifest: { readonly digest: Digest; readonly bytes: Uint8Array };
  readonly config: {
    readonly digest: Digest;
    /** All of it, checked. Called once; layers come meanwhile. */
    read(): Promise<Uint8Array>;
  };
  /** Lowest first. */
  readonly layers: readonly BlobOrigin[];
  /** What it is called from now on: with a tag, or with a digest. */
  readonly references: readonly Reference[];
  /** The names have it from then on. */
  readonly index?: IndexOrigin | undefined;
}

export interface ReceiveOptions {
  readonly signal?: AbortSignal;
  /** @param index of the layer, from the lowest */
  readonly onNews?: (index: number, news: LayerNews) => void;
  /** What is said of the image could not be had: the names have only the image. */
  readonly onUnattested?: (reason: Fault) => void;
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
