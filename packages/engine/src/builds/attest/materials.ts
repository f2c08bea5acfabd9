import {
  digestAlgorithm,
  digestHex,
  familiarName,
  formatPlatform,
  type Platform,
  parseDigest,
  parsePlatform,
  parseReference,
} from "@hawser/oci";
import type { ImagePin, ImagePins, SourcePins } from "../build-sources.ts";

/** Something that a build has used: SLSA's `materials`, `resolvedDependencies`. */
export interface Material {
  readonly uri: string;
  /** By algorithm. */
  readonly digest: Readonly<Record<string, string>>;
}

/** An image's package URL as BuildKit writes it: `pkg:docker/busybox@latest?platform=linux%2Famd64`. */
export function imageUri(reference: string, platform: Platform): string {
  const parsed = parseReference(reference);
  const path = familiarName(parsed).split("/").map(encoded).join("/");
  const version = parsed.digest === undefined ? (parsed.tag ?? "latest") : parsed.tag;
  const qualifiers = [
    ...(parsed.digest === undefined ? [] : [`digest=${encoded(parsed.digest)}`]),
    `platform=${encoded(formatPlatform(platform))}`,
  ];
  return `pkg:docker/${path}${version === undefined ? "" : `@${encoded(version)}`}?${qualifiers.join("&")}`;
}

function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll("%3A", ":");
}

/** `{"sha256": "<hex>"}` */
export function digestSet(digest: string): Readonly<Record<string, string>> {
  const parsed = parseDigest(digest);
  return { [digestAlgorithm(parsed)]: digestHex(parsed) };
}

function commitDigest(commit: string): Readonly<Record<string, string>> {
  return { [commit.length === 64 ? "sha256" : "sha1"]: commit };
}

/** What was used, each once, in one order whatever came first. */
export function materialsOf(used: readonly SourcePins[], platform: Platform): readonly Material[] {
  const images = used.flatMap((one) => Object.entries(one.images));
  const files = used.flatMap((one) => Object.entries(one.files));
  const repositories = used.flatMap((one) => Object.entries(one.repositories));
  const all = [
    ...images.flatMap(([name, pins]) =>
      pinsFor(pins, platform).map(([machine, pin]) => ({
        uri: uriOf(name, machine),
        digest: digestSet(digestOf(pin)),
      })),
    ),
    ...repositories.map(([uri, commit]) => ({ uri, digest: commitDigest(commit) })),
    ...files.map(([uri, digest]) => ({ uri, digest: digestSet(digest) })),
  ];
  const byText = new Map(all.map((material) => [JSON.stringify(material), material]));
  return [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, material]) => material);
}

/** @param platform of the result */
function pinsFor(pins: ImagePins, platform: Platform): readonly (readonly [Platform, ImagePin])[] {
  if (!("platforms" in pins)) return [[platform, pins]];
  return Object.entries(pins.platforms).map(([text, pin]) => [parsePlatform(text, platform), pin]);
}

function uriOf(name: string, platform: Platform): string {
  try {
    return imageUri(name, platform);
  } catch {
    return name; // an id, or a layout that the client lends
  }
}

function digestOf(pin: ImagePin): string {
  return "digest" in pin ? pin.digest : pin.id;
}
