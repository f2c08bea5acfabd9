import {
  attestationAnnotations,
  type Digest,
  digestOf,
  type ImageConfig,
  mediaTypes,
  type Platform,
} from "@hawser/oci";
import type { ContentStore, ImageStore } from "@hawser/store";
import { digestSet, imageUri } from "../attest/materials.ts";
import {
  type Attestation,
  formatStatement,
  type Statement,
  statementMediaType,
} from "../attest/statement.ts";
import type { GivenBlob, GivenManifest } from "../cache/blob-place.ts";
import { blobOf, type ImageBlobs, withImageBlobs } from "./image-blobs.ts";
import type { ImageForm } from "./read-exporter.ts";

/** An image of an index, and what is said of it. */
export interface IndexedImage {
  readonly config: ImageConfig;
  readonly platform: Platform;
  readonly form: ImageForm;
  readonly attestations: readonly Attestation[];
}

/** An index of images as others get it. */
export interface ImageIndex {
  readonly manifest: GivenManifest;
  /** Of the images and their attestations; the index names them. */
  readonly manifests: readonly GivenManifest[];
  /** Configurations, layers, statements, each once. */
  readonly blobs: readonly GivenBlob[];
}

interface Described {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Write images down as an index, image-spec "Image Index". What is said of an image is a manifest of its own beside it, whose
 * annotations name it: https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
 *
 *     index ─┬─ image (platform, annotations of the descriptor) ── config, layers
 *            └─ attestation manifest (unknown/unknown, vnd.docker.reference.digest) ── config, in-toto statements
 *
 * @param options.names that statements call the images by
 * @throws {Fault} as `withImageBlobs`
 */
export async function withImageIndex<T>(
  images: readonly IndexedImage[],
  options: {
    readonly names: readonly string[];
    /** Of the index itself. */
    readonly annotations: Readonly<Record<string, string>>;
    readonly images: ImageStore;
    readonly content: ContentStore;
    readonly signal: AbortSignal;
    readonly use: (index: ImageIndex) => Promise<T>;
  },
): Promise<T> {
  const write = async (at: number, written: readonly ImageBlobs[]): Promise<T> => {
    const next = images[at];
    if (next === undefined) return await options.use(indexOf(images, written, options));
    return await withImageBlobs(next.config, next.form, {
      ...options,
      use: (blobs) => write(at + 1, [...written, blobs]),
    });
  };
  return await write(0, []);
}

function indexOf(
  images: readonly IndexedImage[],
  written: readonly ImageBlobs[],
  {
    names,
    annotations,
  }: { readonly names: readonly string[]; readonly annotations: Readonly<Record<string, string>> },
): ImageIndex {
  const entries: object[] = [];
  const attesting: { readonly manifest: GivenManifest; readonly blobs: readonly GivenBlob[] }[] = [];
  const about: object[] = [];
  for (const [at, { manifest }] of written.entries()) {
    const image = images[at];
    if (image === undefined) continue;
    const { platform, form, attestations } = image;
    const { os, architecture, variant } = platform;
    const { descriptor } = form.annotations;
    entries.push({
      ...described(manifest),
      ...(Object.keys(descriptor).length > 0 && { annotations: descriptor }),
      platform: { architecture, os, ...(variant !== undefined && { variant }) },
    });
    if (attestations.length === 0) continue;
    const subjects = names.map((name) => ({
      name: imageUri(name, platform),
      digest: digestSet(manifest.digest),
    }));
    const made = attestationManifest(attestations.map((one) => formatStatement(one, subjects)));
    attesting.push(made);
    about.push({
      ...described(made.manifest),
      annotations: attestationAnnotations(manifest.digest),
      platform: { architecture: "unknown", os: "unknown" },
    });
  }
  const mediaType = mediaTypes.ociIndex;
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      manifests: [...entries, ...about],
      ...(Object.keys(annotations).length > 0 && { annotations }),
    }),
  );
  const blobs = [...written, ...attesting].flatMap((one) => one.blobs);
  return {
    manifest: { mediaType, digest: digestOf(bytes), bytes },
    manifests: [...written, ...attesting].map(({ manifest }) => manifest),
    blobs: [...new Map(blobs.map((blob) => [blob.digest, blob])).values()],
  };
}

function described({ mediaType, digest, bytes }: GivenManifest): Described {
  return { mediaType, digest, size: bytes.length };
}

/** Statements as the layers of an image that no machine runs. */
function attestationManifest(statements: readonly Statement[]) {
  const layers = statements.map(({ bytes, predicateType }) => ({
    blob: blobOf(bytes),
    annotations: { "in-toto.io/predicate-type": predicateType },
  }));
  const config = blobOf(
    Buffer.from(
      JSON.stringify({
        architecture: "unknown",
        os: "unknown",
        config: {},
        rootfs: { type: "layers", diff_ids: layers.map(({ blob }) => blob.digest) },
      }),
    ),
  );
  const mediaType = mediaTypes.ociManifest;
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.sizeBytes },
      layers: layers.map(({ blob, annotations }) => ({
        mediaType: statementMediaType,
        digest: blob.digest,
        size: blob.sizeBytes,
        annotations,
      })),
    }),
  );
  const manifest: GivenManifest = { mediaType, digest: digestOf(bytes), bytes };
  return { manifest, blobs: [config, ...layers.map(({ blob }) => blob)] };
}
