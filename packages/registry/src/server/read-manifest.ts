import { type Digest, isDigest, mediaTypes } from "@hawser/oci";
import { serverFaults } from "./faults.ts";

/** What a registry must know of a manifest. */
export interface ManifestFacts {
  readonly mediaType: string;
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly subject?: Digest;
  /** Blobs that must be there. */
  readonly blobs: readonly Digest[];
  /** All that it refers to and that is kept for its sake. */
  readonly references: readonly Digest[];
}

type Json = Readonly<Record<string, unknown>>;

/** It is given out as `Content-Type`: nothing that a browser would show, as what it is shown would be a stranger's. RFC 6838, 4.2. */
const mediaTypePattern = /^application\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/i;

/**
 * Read a manifest as it is pushed. Its kind is what the client says, else what it says itself, else what its fields are.
 *
 * @throws {Fault} `invalid-argument`
 */
export function readManifest(bytes: Uint8Array, contentType: string): ManifestFacts {
  const manifest = parseObject(bytes);
  const said = text(manifest["mediaType"]);
  const asked = (contentType.split(";")[0] ?? "").trim();
  if (said !== undefined && asked !== "" && said !== asked && asked !== "application/json") {
    throw serverFaults.MANIFEST_INVALID(`its media type is ${said}, but ${asked} was sent`);
  }
  if (manifest["schemaVersion"] !== undefined && manifest["schemaVersion"] !== 2) {
    throw serverFaults.MANIFEST_INVALID("its schema version is not 2");
  }
  const config = descriptor(manifest["config"], "config");
  const layers = list(manifest["layers"], "layers");
  const blobs = list(manifest["blobs"], "blobs");
  const manifests = list(manifest["manifests"], "manifests");
  const subject = descriptor(manifest["subject"], "subject");
  const needed = [config, ...layers, ...blobs].flatMap((item) =>
    item === undefined || item.isElsewhere ? [] : [item.digest],
  );
  const isIndex = manifests.length > 0 || Array.isArray(manifest["manifests"]);
  const mediaType = asked || said || (isIndex ? mediaTypes.ociIndex : mediaTypes.ociManifest);
  if (mediaType === "application/json") throw serverFaults.MANIFEST_INVALID("it has no media type");
  if (!mediaTypePattern.test(mediaType))
    throw serverFaults.MANIFEST_INVALID(
      `${JSON.stringify(mediaType.slice(0, 100))} is no manifest's media type`,
    );
  return {
    mediaType,
    artifactType: text(manifest["artifactType"]) || (isIndex ? "" : (config?.mediaType ?? "")),
    annotations: annotationsOf(manifest["annotations"]),
    ...(subject && { subject: subject.digest }),
    blobs: needed,
    references: [...new Set([...needed, ...manifests.map(({ digest }) => digest)])],
  };
}

function parseObject(bytes: Uint8Array): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw serverFaults.MANIFEST_INVALID("it is not JSON");
  }
  return object(value, "it");
}

function object(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw serverFaults.MANIFEST_INVALID(`${what} is not an object`);
  }
  return value as Json;
}

interface Descriptor {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Registries need not have it: a foreign layer. */
  readonly isElsewhere: boolean;
}

function descriptor(value: unknown, what: string): Descriptor | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = object(value, `"${what}"`);
  const digest = text(fields["digest"]) ?? "";
  if (!isDigest(digest)) throw serverFaults.MANIFEST_INVALID(`"${what}" has no valid digest`);
  const size = fields["size"];
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw serverFaults.MANIFEST_INVALID(`"${what}" has no valid size`);
  }
  const mediaType = text(fields["mediaType"]) ?? "";
  const urls = fields["urls"];
  const isElsewhere = /foreign|nondistributable/.test(mediaType) && Array.isArray(urls) && urls.length > 0;
  return { digest, mediaType, isElsewhere };
}

function list(value: unknown, what: string): readonly Descriptor[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw serverFaults.MANIFEST_INVALID(`"${what}" is not a list`);
  return value.flatMap((item: unknown) => descriptor(item, what) ?? []);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function annotationsOf(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  const entries = Object.entries(object(value, '"annotations"'));
  if (!entries.every(([, item]) => typeof item === "string")) {
    throw serverFaults.MANIFEST_INVALID('"annotations" has what is not text');
  }
  return Object.fromEntries(entries) as Record<string, string>;
}
