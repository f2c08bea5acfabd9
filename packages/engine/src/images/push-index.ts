import { type Digest, digestOf, mediaTypes, type Platform, type Reference } from "@hawser/oci";
import { type PushedManifest, pushImage } from "./push-image.ts";

/** An image of an index. */
export interface PlatformImage {
  readonly image: Digest;
  readonly platform: Platform;
}

/** An index of images for several machines, image-spec "Image Index". */
export function formatPlatformIndex(
  images: readonly { readonly manifest: PushedManifest; readonly platform: Platform }[],
): { readonly bytes: Buffer; readonly digest: Digest; readonly mediaType: string } {
  const manifests = images.map(({ manifest: { mediaType, digest, sizeBytes }, platform }) => {
    const { os, architecture, variant } = platform;
    return {
      mediaType,
      digest,
      size: sizeBytes,
      platform: { architecture, os, ...(variant !== undefined && { variant }) },
    };
  });
  const mediaType = mediaTypes.ociIndex;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  const digest = digestOf(bytes);
  return { bytes, digest, mediaType };
}

/**
 * Give images for several machines to a registry, then an index of them under one tag.
 *
 * @throws {Fault} as `pushImage`
 */
export async function pushIndex(
  parts: Parameters<typeof pushImage>[0],
  request: {
    readonly images: readonly PlatformImage[];
    /** With a tag. */
    readonly reference: Reference;
    readonly signal: AbortSignal;
  },
): Promise<PushedManifest> {
  const { images, reference, signal } = request;
  const pushed: { manifest: PushedManifest; platform: Platform }[] = [];
  for (const { image, platform } of images) {
    const manifest = await pushImage(parts, { image, reference, isPart: true, signal, report: () => {} });
    pushed.push({ manifest, platform });
  }
  const index = formatPlatformIndex(pushed);
  await parts.repository.putManifest(reference.tag ?? "latest", index, { signal });
  return { digest: index.digest, mediaType: index.mediaType, sizeBytes: index.bytes.length };
}
