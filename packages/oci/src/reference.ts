import { type Digest, isDigest, parseDigest } from "./digest.ts";
import { ociFaults } from "./oci-faults.ts";

/**
 * A name of an image, in full: `docker.io/library/busybox:latest` is domain `docker.io`, path `library/busybox`, tag
 * `latest`. Made by `parseReference`.
 */
export interface Reference {
  /** Registry host, with port where it has one. */
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const defaultDomain = "docker.io";
const legacyDefaultDomain = "index.docker.io";
const officialPrefix = "library/";

// distribution/reference, grammar in reference.go
const domainComponent = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domainPattern = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const pathComponent = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const namePattern = `(?:(?<domain>${domainPattern})/)?(?<path>${pathComponent}(?:/${pathComponent})*)`;
const tagPattern = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const digestPattern = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const referencePattern = new RegExp(
  `^${namePattern}(?::(?<tag>${tagPattern}))?(?:@(?<digest>${digestPattern}))?$`,
);
const identifierPattern = /^[0-9a-f]{64}$/;

/** No name is longer; what is longer is not looked at. */
const maxReferenceLength = 255 + 1 + 128 + 1 + 256;

/**
 * A name as people type it. Without a registry it means Docker Hub, there without a user `library`; a tag is not added
 * (`withDefaultTag`).
 *
 * @throws {Fault} `invalid-argument` with Docker's words
 */
export function parseReference(text: string): Reference {
  if (identifierPattern.test(text)) throw ociFaults.REFERENCE_IS_ID(text);
  if (text.length > maxReferenceLength) {
    throw text.split(/[:@]/, 1).join("").length > 255
      ? ociFaults.REFERENCE_TOO_LONG()
      : ociFaults.REFERENCE_INVALID();
  }
  const { domain, remainder } = splitDomain(text);
  const remote = remainder.replace(/[:@].*$/s, "");
  if (remote.toLowerCase() !== remote) throw ociFaults.REFERENCE_UPPERCASE(remote);
  const groups = referencePattern.exec(`${domain}/${remainder}`)?.groups;
  if (groups?.["path"] === undefined || groups["domain"] === undefined) throw ociFaults.REFERENCE_INVALID();
  if (groups["path"].length > 255) throw ociFaults.REFERENCE_TOO_LONG();
  const digest = groups["digest"];
  if (digest !== undefined && !isDigest(digest)) throw ociFaults.REFERENCE_INVALID();
  return {
    domain: groups["domain"],
    path: groups["path"],
    ...(groups["tag"] !== undefined && { tag: groups["tag"] }),
    ...(digest !== undefined && { digest: parseDigest(digest) }),
  };
}

/** The first part is a registry when it could be nothing else: a dot, a port, `localhost`, or upper case. */
function splitDomain(text: string): { readonly domain: string; readonly remainder: string } {
  const slash = text.indexOf("/");
  const first = text.slice(0, slash);
  let domain = defaultDomain;
  let remainder = text;
  if (slash !== -1 && (/[.:]/.test(first) || first === "localhost" || first.toLowerCase() !== first)) {
    domain = first === legacyDefaultDomain ? defaultDomain : first;
    remainder = text.slice(slash + 1);
  }
  if (domain === defaultDomain && !remainder.includes("/")) remainder = officialPrefix + remainder;
  return { domain, remainder };
}

/** What someone may mean by the name of an image: its digest (with or without `sha256:`), or a reference. */
export type AnyReference =
  | { readonly kind: "digest"; readonly digest: Digest }
  | { readonly kind: "reference"; readonly reference: Reference };

/** @throws {Fault} `invalid-argument` with Docker's words */
export function parseAnyReference(text: string): AnyReference {
  if (identifierPattern.test(text)) return { kind: "digest", digest: parseDigest(`sha256:${text}`) };
  if (isDigest(text)) return { kind: "digest", digest: text };
  return { kind: "reference", reference: parseReference(text) };
}

/** `latest` where there is neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: "latest" }
    : reference;
}

/** Without tag and digest. */
export function repositoryOf({ domain, path }: Reference): Reference {
  return { domain, path };
}

/** In full: `docker.io/library/busybox:latest`. */
export function formatReference(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`;
}

/** As people write it: `busybox:latest`. */
export function formatFamiliar(reference: Reference): string {
  return `${familiarName(reference)}${suffix(reference)}`;
}

/** The repository as people write it: `busybox`. */
export function familiarName({ domain, path }: Reference): string {
  if (domain !== defaultDomain) return `${domain}/${path}`;
  const short = path.startsWith(officialPrefix) ? path.slice(officialPrefix.length) : path;
  // "library/a/b" without its prefix would read as user a.
  return short.includes("/") ? path : short;
}

function suffix({ tag, digest }: Reference): string {
  return `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}
