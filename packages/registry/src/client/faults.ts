import { defineFaults } from "@hawser/base";

/** Docker's words where people search for them. */
export const registryFaults = defineFaults({
  /** No answer could be had: name, connection, TLS. `what` is the request: `Get "https://host/v2/"`. */
  UNREACHABLE: ["unavailable", (what: string, why: string) => `${what}: ${why}`],
  STALLED: ["deadline-exceeded", (what: string, ms: number) => `${what}: nothing came for ${ms / 1000} s`],
  ENDED_EARLY: [
    "unavailable",
    (what: string, is: number, wanted: number) => `${what}: unexpected EOF after ${is} of ${wanted} bytes`,
  ],
  REDIRECTS_TOO_MANY: ["unavailable", (what: string) => `${what}: stopped after 10 redirects`],
  REDIRECT_INVALID: [
    "unavailable",
    (what: string, location: string) => `${what}: cannot follow a redirect to "${location}"`,
  ],
  ANSWER_TOO_LARGE: [
    "resource-exhausted",
    (what: string, limit: number) => `${what}: the answer has more than ${limit} bytes`,
  ],
  ANSWER_INVALID: ["unavailable", (what: string, problem: string) => `${what}: ${problem}`],

  // What the registry says: its code in small letters and its message.
  MANIFEST_UNKNOWN: ["not-found", (words: string) => words],
  NAME_UNKNOWN: ["not-found", (words: string) => words],
  BLOB_UNKNOWN: ["not-found", (words: string) => words],
  DENIED: ["permission-denied", (words: string) => words],
  UNAUTHORIZED: ["unauthenticated", (words: string) => words],
  TOO_MANY_REQUESTS: ["resource-exhausted", (words: string) => words],
  REGISTRY_FAILED: ["unavailable", (words: string) => words],
  REGISTRY_FULL: ["resource-exhausted", (words: string) => words],
  REGISTRY_TOO_SMALL: ["resource-exhausted", (words: string) => words],
  REGISTRY_REFUSED: ["invalid-argument", (words: string) => words],
  UNSUPPORTED: ["not-implemented", (words: string) => words],

  NO_CREDENTIALS: ["unauthenticated", (what: string) => `${what}: no basic auth credentials`],
  LOGIN_REFUSED: [
    "unauthenticated",
    (address: string) => `login attempt to ${address} failed with status: 401 Unauthorized`,
  ],
  CREDENTIALS_IN_CLEAR: [
    "permission-denied",
    (realm: string) =>
      `Cannot log in: the registry sends credentials to ${realm}, which is not encrypted, though the registry is`,
  ],
  SCHEMA1: [
    "not-implemented",
    () =>
      "Docker Image manifest version 2, schema 1 support is disabled: the image must be pushed again by a newer client",
  ],
  DIGEST_LIE: [
    "data-loss",
    (what: string, wanted: string, is: string) =>
      `${what}: filesystem layer verification failed for digest ${wanted}: the content hashes to ${is}`,
  ],
  SIZE_LIE: [
    "data-loss",
    (what: string, wanted: number, is: string) => `${what}: ${wanted} bytes were announced, there are ${is}`,
  ],
  NO_HOST: [
    "unavailable",
    (domain: string, what: string) => `Cannot ${what} ${domain}: no host is configured for it`,
  ],
  NO_SEARCH: [
    "not-implemented",
    (host: string) =>
      `Cannot search ${host}: it has neither a search (/v1/search) nor a catalogue (/v2/_catalog)`,
  ],
  PROXY_INVALID: [
    "invalid-argument",
    (proxy: string) => `Cannot use the proxy "${proxy}": host:port, http:// or https:// was wanted`,
  ],
  HOSTS_FILE: ["invalid-argument", (path: string, problem: string) => `Cannot read ${path}: ${problem}`],
});
