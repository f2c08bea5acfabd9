import { type Descriptor, readDescriptor } from "./descriptor.ts";
import { isIndexMediaType, isManifestMediaType } from "./media-type.ts";
import { DocumentReader, maxManifestBytes, parseForeignJson } from "./read-document.ts";

/** One image for one platform. image-spec, "Image Manifest"; Docker's schema 2 has the same fields. */
export interface Manifest {
  readonly kind: "manifest";
  readonly mediaType?: string;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** Several manifests to choose from. image-spec, "Image Index"; Docker's manifest list. */
export interface Index {
  readonly kind: "index";
  readonly mediaType?: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * A manifest or an index, told apart by `mediaType`, or without one by its fields. A document that could be read as
 * both is refused.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseManifest(data: Uint8Array): Manifest | Index {
  const what = "image manifest";
  const reader = new DocumentReader(parseForeignJson(data, { what, maxBytes: maxManifestBytes }), what);
  if (reader.integer("schemaVersion") !== 2) throw reader.fail('"schemaVersion" is not 2');
  const mediaType = reader.string("mediaType");
  const common = {
    annotations: reader.stringMap("annotations") ?? {},
    ...(mediaType !== undefined && { mediaType }),
  };
  const config = reader.object("config");
  const layers = reader.objects("layers");
  const manifests = reader.objects("manifests");
  if (manifests !== undefined && (config !== undefined || layers !== undefined)) {
    throw reader.fail("it is a manifest and an index at once");
  }
  if (manifests !== undefined) {
    if (mediaType !== undefined && !isIndexMediaType(mediaType)) {
      throw reader.fail(`"mediaType" is ${mediaType}, but it has "manifests"`);
    }
    return { kind: "index", manifests: manifests.map(readDescriptor), ...common };
  }
  if (mediaType !== undefined && !isManifestMediaType(mediaType)) {
    throw reader.fail(`"mediaType" is ${mediaType}, which is not an image's`);
  }
  return {
    kind: "manifest",
    config: readDescriptor(reader.requiredObject("config")),
    layers: (layers ?? []).map(readDescriptor),
    ...common,
  };
}
