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
  /** Of the manifest, and of what points to it. */
  readonly annotations: { readonly manifest: Attributes; readonly descriptor: Attributes };
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
      readonly isFile: boolean /** Below a folder of the platform's. */;
      readonly splits: boolean;
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

/** `dest` and `load` are the client's own affair. */
const heeded: Readonly<Record<string, readonly string[]>> = {
  image: [...ofImages, "push", "push-by-digest", "store", "unpack", "load"],
  archive: [...ofImages, "tar", "dest"],
  tree: ["platform-split", "dest"],
};

/**
 * What a client asks an exporter for.
 *
 * @throws {Fault} `not-implemented` for an exporter or an attribute that would not be heeded, by its name; `invalid-argument`
 */
export function readExporter({ type, attributes }: Pick<ExporterRequest, "type" | "attributes">): Exporter {
  switch (type) {
    case "moby":
    case "image": {
      checkNames(type, attributes, "image");
      const stores = readTruth(attributes, "store", true);
      readTruth(attributes, "unpack", true);
      const isByDigest = readTruth(attributes, "push-by-digest", false);
      const pushes = readTruth(attributes, "push", false);
      return {
        kind: "image",
        names: namesOf(attributes),
        form: readForm(attributes, false),
        stores,
        push: pushes ? (isByDigest ? "by-digest" : "by-name") : "no",
      };
    }
    case "docker":
    case "oci":
      checkNames(type, attributes, "archive");
      return {
        kind: "archive",
        names: namesOf(attributes),
        form: readForm(attributes, type === "oci"),
        isDocker: type === "docker",
        isFile: readTruth(attributes, "tar", true),
      };
    case "tar":
    case "local":
      checkNames(type, attributes, "tree");
      return {
        kind: "tree",
        isFile: type === "tar",
        splits: readTruth(attributes, "platform-split", false),
      };
    default:
      throw buildFaults.EXPORTER_UNKNOWN(type);
  }
}

const annotation = /^annotation(-manifest|-manifest-descriptor)?(?:\[[^\]]*\])?\.(.+)$/;

function checkNames(type: string, attributes: Attributes, kind: string): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (heeded[kind]?.includes(name) === true) continue;
    if (kind !== "tree" && annotation.test(name)) continue;
    if (name.startsWith("annotation-index")) throw buildFaults.ANNOTATION_OF_INDEX(name);
    // To be without what is not there is no wish.
    if (["false", "0"].includes(value)) continue;
    throw buildFaults.EXPORTER_ATTRIBUTE(type, name);
  }
}

function readForm(attributes: Attributes, isOciByDefault: boolean): ImageForm {
  const encoding = readLayerEncoding(attributes);
  readTruth(attributes, "rewrite-timestamp", false);
  const found: Record<"manifest" | "descriptor", [string, string][]> = { manifest: [], descriptor: [] };
  for (const [name, value] of Object.entries(attributes)) {
    const [, kind, key] = annotation.exec(name) ?? [];
    if (key !== undefined)
      found[kind === "-manifest-descriptor" ? "descriptor" : "manifest"].push([key, value]);
  }
  const asked = readTruth(attributes, "oci-mediatypes", isOciByDefault);
  const hasAnnotations = found.manifest.length + found.descriptor.length > 0;
  const said = ["compression", "compression-level", "force-compression", "oci-mediatypes"];
  return {
    encoding,
    // Docker has words neither for zstd nor for annotations.
    isOci: asked || hasAnnotations || encoding.compression === "zstd",
    annotations: {
      manifest: Object.fromEntries(found.manifest),
      descriptor: Object.fromEntries(found.descriptor),
    },
    isDefault: !hasAnnotations && said.every((name) => attributes[name] === undefined),
  };
}

/** `name`: several are separated by commas. */
export function namesOf({ name = "" }: Attributes): readonly string[] {
  return name
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map((text) => formatReference(withDefaultTag(parseReference(text))));
}
