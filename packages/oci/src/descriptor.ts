import { type Digest, parseDigest } from "./digest.ts";
import type { Platform } from "./platform.ts";
import type { DocumentReader } from "./read-document.ts";

/** What points to content: what it is, what it hashes to, how long it is. image-spec, "Content Descriptors". */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  /** What it is when it is no image. */
  readonly artifactType?: string;
}

/** @throws {Fault} `invalid-argument` */
export function readDescriptor(reader: DocumentReader): Descriptor {
  const sizeBytes = reader.requiredInteger("size");
  if (sizeBytes < 0) throw reader.fail('"size" is negative');
  const platform = reader.object("platform");
  const variant = platform?.string("variant");
  const artifactType = reader.string("artifactType");
  return {
    mediaType: reader.requiredString("mediaType"),
    digest: parseDigest(reader.requiredString("digest")),
    sizeBytes,
    annotations: reader.stringMap("annotations") ?? {},
    ...(artifactType !== undefined && { artifactType }),
    ...(platform && {
      platform: {
        os: platform.requiredString("os"),
        architecture: platform.requiredString("architecture"),
        ...(variant !== undefined && variant !== "" && { variant }),
      },
    }),
  };
}
