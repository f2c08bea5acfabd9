import { defineFaults } from "@hawser/base";

/** What a registry refuses. The codes are distribution-spec's, "Error Codes", and go to clients as they are. */
export const serverFaults = defineFaults({
  BLOB_UNKNOWN: ["not-found", (digest: string) => `blob unknown to registry: ${digest}`],
  BLOB_UPLOAD_INVALID: ["invalid-argument", (why: string) => `blob upload invalid: ${why}`],
  BLOB_UPLOAD_UNKNOWN: ["not-found", (id: string) => `blob upload unknown to registry: ${id}`],
  /** The chunk does not begin where the last one ended. */
  BLOB_UPLOAD_RANGE: [
    "conflict",
    (is: number, wanted: number) => `blob upload invalid: a chunk begins at ${is}, ${wanted} was wanted`,
  ],
  DIGEST_INVALID: [
    "invalid-argument",
    (why: string) => `provided digest did not match uploaded content: ${why}`,
  ],
  MANIFEST_BLOB_UNKNOWN: [
    "not-found",
    (digest: string) => `manifest references a manifest or blob unknown to registry: ${digest}`,
  ],
  MANIFEST_INVALID: ["invalid-argument", (why: string) => `manifest invalid: ${why}`],
  MANIFEST_TOO_LARGE: [
    "resource-exhausted",
    (maxBytes: number) => `manifest invalid: it has more than ${maxBytes} bytes`,
  ],
  MANIFEST_UNKNOWN: ["not-found", (reference: string) => `manifest unknown to registry: ${reference}`],
  NAME_INVALID: ["invalid-argument", (name: string) => `invalid repository name: ${name}`],
  TAG_INVALID: ["invalid-argument", (tag: string) => `invalid tag: ${tag}`],
  NAME_UNKNOWN: ["not-found", (name: string) => `repository name not known to registry: ${name}`],
  PAGE_INVALID: ["invalid-argument", (text: string) => `invalid number of results requested: ${text}`],
  RANGE_INVALID: ["conflict", (range: string) => `invalid range: ${range}`],
  SIZE_INVALID: ["invalid-argument", (why: string) => `provided length did not match content length: ${why}`],
  UPLOAD_TOO_LARGE: [
    "resource-exhausted",
    (maxBytes: number) => `blob upload invalid: more than ${maxBytes} bytes are not taken`,
  ],
  UNAUTHORIZED: ["unauthenticated", () => "authentication required"],
  TOOMANYREQUESTS: ["resource-exhausted", () => "too many logins at once: try again in a moment"],
  DENIED: ["permission-denied", (why: string) => `requested access to the resource is denied: ${why}`],
  GRANT_INVALID: ["invalid-argument", () => "grant_type: password or refresh_token was wanted"],
  FORM_TOO_LARGE: ["resource-exhausted", (maxBytes: number) => `more than ${maxBytes} bytes are not taken`],
  UNSUPPORTED: ["not-implemented", (what: string) => `the operation is unsupported: ${what}`],
  DISK_FULL: ["unavailable", () => "the registry has no space left"],
  UPSTREAM_DENIED: [
    "permission-denied",
    (registry: string, why: string) => `requested access to the resource is denied: ${registry} says: ${why}`,
  ],
  UPSTREAM_UNAVAILABLE: [
    "unavailable",
    (registry: string, why: string) => `${registry} does not answer: ${why}`,
  ],
  PAGE_NOT_FOUND: ["not-found", () => "page not found"],
  DATA_TOO_NEW: [
    "unavailable",
    (path: string, is: number, known: number) =>
      `Cannot open ${path}: it was made by a newer version (schema ${is}, ${known} is known)`,
  ],
  DATA_IN_USE: ["conflict", (path: string) => `Cannot open ${path}: another registry uses it`],
  BUCKET_UNUSABLE: [
    "unavailable",
    (bucket: string, why: string) => `Cannot use the bucket ${bucket}: ${why}`,
  ],
  /** Two registries on one bucket would collect each other's pushes. */
  BUCKET_TAKEN: [
    "unavailable",
    (bucket: string, by: string) =>
      `Cannot use the bucket ${bucket}: the registry at ${by} has taken it over; with an empty folder this one takes it back`,
  ],
  DATA_ELSEWHERE: ["conflict", (path: string, why: string) => `Cannot open ${path}: ${why}`],
  CONFIG_INVALID: ["invalid-argument", (why: string) => why],
});
