import { createHash } from "node:crypto";
import { Fault } from "@hawser/base";
import {
  type ChainId,
  chainIdsOf,
  type Descriptor,
  type Digest,
  type ImageConfig,
  isConfigMediaType,
  type Manifest,
  type Platform,
  parseDigest,
  parseImageConfig,
  parseManifest,
} from "@hawser/oci";
import type { BuildCache, ImageStore } from "@hawser/store";
import { chooseManifest } from "../images/choose-manifest.ts";
import { buildFaults } from "./faults.ts";

/** Where the blobs of an OCI layout are. They are checked here. */
export interface LayoutBlobs {
  /** @throws {Fault} `not-found`, `unavailable` */
  read(digest: Digest, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** `oci-layout://store[:tag]@sha256:…`: a layout that a client lends, and what of it is wanted. */
export interface LayoutReference {
  readonly store: string;
  readonly digest: Digest;
}

/** An image whose layers are here. */
export interface LayoutImage {
  readonly config: ImageConfig;
  readonly chainId?: ChainId;
  /** Of the image's own manifest. */
  readonly digest: Digest;
}

export const layoutScheme = "oci-layout://";
/** Of manifests, indexes and configurations. */
const maxDocumentBytes = 4 << 20;
const maxIndexDepth = 2;

/** @throws {Fault} `invalid-argument` */
export function parseLayoutReference(text: string): LayoutReference {
  const [, store = "", digest = ""] = /^oci-layout:\/\/([\w.-]+)(?::[\w.-]+)?@(.+)$/.exec(text) ?? [];
  if (store === "") throw buildFaults.LAYOUT_INVALID(text.slice(0, 200));
  return { store, digest: parseDigest(digest) };
}

/**
 * Bring the layers of an image of an OCI layout here. Those that are here already are not read. Nothing is used before its
 * digest is checked.
 *
 * @param request.hold keeps a layer while the build goes on
 * @throws {Fault} `not-found`, `data-loss`, `invalid-argument`; what reading throws
 */
export async function receiveLayoutImage(
  blobs: LayoutBlobs,
  { images, cache }: { readonly images: ImageStore; readonly cache: BuildCache },
  request: {
    readonly digest: Digest;
    readonly platform: Platform;
    readonly signal: AbortSignal;
    readonly hold: (held: Disposable) => void;
  },
): Promise<LayoutImage> {
  const { signal, hold } = request;
  const { manifest, digest } = await findManifest(blobs, request);
  const config = parseImageConfig(await readDocument(blobs, manifest.config.digest, signal));
  if (config.diffIds.length !== manifest.layers.length) {
    throw buildFaults.LAYOUT_DAMAGED(digest, "it has other layers than its configuration says");
  }
  const chainIds = chainIdsOf(config.diffIds);
  let parent: ChainId | undefined;
  for (const [at, layer] of manifest.layers.entries()) {
    const chainId = chainIds[at];
    if (chainId === undefined) continue;
    const there = holdThere(images, chainId);
    if (there !== undefined) hold(there);
    else {
      const held = await addLayer(blobs, images, { layer, parent, signal });
      hold(held);
      const [diffId, own] = [config.diffIds[at], held.layer];
      if (own.chainId !== chainId) throw buildFaults.LAYOUT_DAMAGED(layer.digest, `it is not ${diffId}`);
    }
    parent = chainId;
  }
  if (parent !== undefined) {
    cache.put({ key: `layout ${digest}`, chainId: parent, description: `image ${digest} of an OCI layout` });
  }
  return { config, digest, ...(parent !== undefined && { chainId: parent }) };
}

async function findManifest(
  blobs: LayoutBlobs,
  request: { readonly digest: Digest; readonly platform: Platform; readonly signal: AbortSignal },
): Promise<{ readonly manifest: Manifest; readonly digest: Digest }> {
  let { digest } = request;
  for (let depth = 0; depth <= maxIndexDepth; depth++) {
    const manifest = parseManifest(await readDocument(blobs, digest, request.signal));
    if (manifest.kind === "manifest") {
      const { mediaType } = manifest.config;
      if (!isConfigMediaType(mediaType)) throw buildFaults.LAYOUT_DAMAGED(digest, "it is no image");
      return { manifest, digest };
    }
    ({ digest } = chooseManifest(manifest, request.platform));
  }
  throw buildFaults.LAYOUT_DAMAGED(request.digest, "it is an index in an index in others");
}

/** A layer that is here, kept; `undefined`: it is not. */
function holdThere(images: ImageStore, chainId: ChainId): Disposable | undefined {
  try {
    images.layers.chain(chainId);
    return images.layers.hold(chainId);
  } catch (error) {
    if (Fault.is(error, "not-found")) return undefined;
    throw error;
  }
}

async function addLayer(
  blobs: LayoutBlobs,
  images: ImageStore,
  {
    layer,
    parent,
    signal,
  }: {
    readonly layer: Descriptor;
    readonly parent: ChainId | undefined;
    readonly signal: AbortSignal;
  },
) {
  const { digest, sizeBytes } = layer;
  const bytes = checked(blobs.read(digest, signal), { digest, maxBytes: sizeBytes });
  const held = await images.layers.add(bytes, { ...(parent && { parent }), signal });
  if (held === undefined) throw buildFaults.LAYOUT_DAMAGED(digest, "it is an empty archive");
  return held;
}

async function readDocument(blobs: LayoutBlobs, digest: Digest, signal: AbortSignal): Promise<Buffer> {
  const bytes = checked(blobs.read(digest, signal), { digest, maxBytes: maxDocumentBytes });
  return Buffer.concat(await Array.fromAsync(bytes));
}

/** The same bytes; at their end they have been what their digest says. @throws {Fault} `data-loss` */
async function* checked(
  bytes: AsyncIterable<Uint8Array>,
  { digest, maxBytes }: { readonly digest: Digest; readonly maxBytes: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const [algorithm = "", hex] = digest.split(":");
  const hash = createHash(algorithm);
  let total = 0;
  for await (const chunk of bytes) {
    total += chunk.length;
    if (total > maxBytes) throw buildFaults.LAYOUT_DAMAGED(digest, `it has more than ${maxBytes} bytes`);
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest("hex") !== hex) throw buildFaults.LAYOUT_DAMAGED(digest, "its content is another");
}
