import type { ExporterRequest } from "@hawser/build/grpc";
import { formatReference, parseReference, withDefaultTag } from "@hawser/oci";
import type { LayerEncoding } from "@hawser/store";
import { buildFaults } from "../faults.ts";
import { readLayerEncoding, readTruth } from "./attributes.ts";

type Attributes = Readonly<Record<string, string>>;

/** How an image is written down. */
export interface ImageForm {
  readonly encoding: LayerEncoding;
  /** Media types are OCI's, else Docker's. */
  readonly isOci: boolean;
  /** Of the manifest, and of what points to it; of an index, and of what points to that. */
  readonly annotations: {
    readonly manifest: Attributes;
    readonly descriptor: Attributes;
    readonly index: Attributes;
    readonly indexDescriptor: Attributes;
  };
  /** The client has said nothing of it. */
  readonly isDefault: boolean;
}

/** Where a result is to go, checked. */
export type Exporter =
  | {
      readonly kind: "image";
      readonly names: readonly string[];
      readonly form: ImageForm;
      /** The image is kept here. */
      readonly stores: boolean;
      readonly push: "no" | "by-name" | "by-digest";
    }
  | {
      readonly kind: "archive";
      readonly names: readonly string[];
      readonly form: ImageForm;
      readonly isDocker: boolean;
      /** One file; else a folder of the client's that it lends. */
      readonly isFile: boolean;
    }
  | {
      readonly kind: "tree";
      readonly isFile: boolean;
      /** Below a folder of the platform's; absent: the client has not said. */
      readonly splits?: boolean;
      /** Of the names of attestations' files. */
      readonly prefix: string;
    };

/** Of every image. Layers' times are those of the epoch always, so `rewrite-timestamp` asks for what is so. */
const ofImages = [
  "name",
  "compression",
  "compression-level",
  "force-compression",
  "oci-mediatypes",
  "rewrite-timestamp",
];

/** What BuildKit once did, or does of itself: an image is known by its digest, too, and one that nobody names by that alone. */
const ofItself = [
  "name-canonical",
  "dangling-name-prefix",
  "buildinfo",
  "buildinfo-attrs",
  "prefer-nondist-layers",
];

/** `dest`, `load` and `context` are the client's own affair. */
const heeded: Readonly<Record<string, readonly string[]>> = {
  image: [...ofImages, ...ofItself, "push", "push-by-digest", "store", "unpack", "load", "context"],
  archive: [...ofImages, ...ofItself, "tar", "dest"],
  tree: ["platform-split", "attestation-prefix", "dest"],
};

/** What an exporter gets. */
export interface ExportedAs {
  /** One of several platforms, by BuildKit's name of it. */
  readonly platform?: string;
  /** As an index, if it is an image; absent: nobody knows yet. */
  readonly isIndex?: boolean;
}

/**
 * What a client asks an exporter for.
 *
 * @throws {Fault} `not-implemented` for an exporter or an attribute that would not be heeded, by its name; `invalid-argument`
 */
export function readExporter(
  { type, attributes, attestations = {} }: Pick<ExporterRequest, "type" | "attributes" | "attestations">,
  { platform, isIndex }: ExportedAs = {},
): Exporter {
  const isAttested = attestations.provenance !== undefined || attestations.sbom !== undefined;
  const as = { platform, isIndex: isAttested || isIndex };
  switch (type) {
    case "moby":
    case "image": {
      checkNames(type, attributes, { kind: "image", ...as });
      const stores = readTruth(attributes, "store", true);
      readTruth(attributes, "unpack", true);
      const isByDigest = readTruth(attributes, "push-by-digest", false);
      const pushes = readTruth(attributes, "push", false);
      const names = namesOf(attributes);
      if (isAttested && !pushes && !(stores && names.length > 0)) throw buildFaults.ATTESTATION_PLACE();
      return {
        kind: "image",
        names,
        form: readForm(attributes, { isOciByDefault: false, platform }),
        stores,
        push: pushes ? (isByDigest ? "by-digest" : "by-name") : "no",
      };
    }
    case "docker":
    case "oci":
      if (isAttested && type === "docker") throw buildFaults.PLATFORMS_ONE_IMAGE();
      checkNames(type, attributes, { kind: "archive", ...as });
      return {
        kind: "archive",
        names: namesOf(attributes),
        form: readForm(attributes, { isOciByDefault: type === "oci", platform }),
        isDocker: type === "docker",
        isFile: readTruth(attributes, "tar", true),
      };
    case "tar":
    case "local":
      checkNames(type, attributes, { kind: "tree", ...as });
      return {
        kind: "tree",
        isFile: type === "tar",
        ...(attributes["platform-split"] !== undefined && {
          splits: readTruth(attributes, "platform-split", false),
        }),
        prefix: prefixOf(attributes),
      };
    default:
      throw buildFaults.EXPORTER_UNKNOWN(type);
  }
}

/** Of files at the top of a result. */
function prefixOf({ "attestation-prefix": prefix = "" }: Attributes): string {
  if (/[/\0]/.test(prefix)) throw buildFaults.ATTRIBUTE_INVALID("attestation-prefix", prefix, "no path");
  return prefix;
}

const annotation =
  /^annotation(-manifest|-manifest-descriptor|-index|-index-descriptor)?(?:\[([^\]]*)\])?\.(.+)$/;

function checkNames(
  type: string,
  attributes: Attributes,
  { kind, isIndex }: { readonly kind: string; readonly isIndex: boolean | undefined },
): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (heeded[kind]?.includes(name) === true) continue;
    const [, of = "", platform] = (kind !== "tree" && annotation.exec(name)) || [name];
    if (name.startsWith("annotation-index") && isIndex === false) throw buildFaults.ANNOTATION_OF_INDEX(name);
    const isOfIndex = of.startsWith("-index");
    if (kind !== "tree" && annotation.test(name) && !(isOfIndex && platform !== undefined)) continue;
    // To be without what is not there is no wish.
    if (["false", "0"].includes(value)) continue;
    throw buildFaults.EXPORTER_ATTRIBUTE(type, name);
  }
}

const annotated = {
  "": "manifest",
  "-manifest": "manifest",
  "-manifest-descriptor": "descriptor",
  "-index": "index",
  "-index-descriptor": "indexDescriptor",
} as const;

function readForm(
  attributes: Attributes,
  { isOciByDefault, platform }: { readonly isOciByDefault: boolean; readonly platform: string | undefined },
): ImageForm {
  const encoding = readLayerEncoding(attributes);
  readTruth(attributes, "rewrite-timestamp", false);
  const found: Record<(typeof annotated)[keyof typeof annotated], [string, string][]> = {
    manifest: [],
    descriptor: [],
    index: [],
    indexDescriptor: [],
  };
  for (const [name, value] of Object.entries(attributes)) {
    const [, kind = "", only, key] = annotation.exec(name) ?? [];
    if (key === undefined || !isKind(kind)) continue;
    const isOther = platform !== undefined && only !== undefined && only !== "" && only !== platform;
    if (!isOther) found[annotated[kind]].push([key, value]);
  }
  const asked = readTruth(attributes, "oci-mediatypes", isOciByDefault);
  const { manifest, descriptor, index, indexDescriptor } = found;
  const hasAnnotations = manifest.length + descriptor.length > 0;
  const said = ["compression", "compression-level", "force-compression", "oci-mediatypes"];
  return {
    encoding,
    // Docker has words neither for zstd nor for annotations.
    isOci: asked || hasAnnotations || encoding.compression === "zstd",
    annotations: {
      manifest: Object.fromEntries(manifest),
      descriptor: Object.fromEntries(descriptor),
      index: Object.fromEntries(index),
      indexDescriptor: Object.fromEntries(indexDescriptor),
    },
    isDefault:
      !hasAnnotations &&
      index.length + indexDescriptor.length === 0 &&
      said.every((name) => attributes[name] === undefined),
  };
}

function isKind(text: string): text is keyof typeof annotated {
  return Object.hasOwn(annotated, text);
}

/** `name`: several are separated by commas. */
export function namesOf({ name = "" }: Attributes): readonly string[] {
  return name
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map((text) => formatReference(withDefaultTag(parseReference(text))));
}
