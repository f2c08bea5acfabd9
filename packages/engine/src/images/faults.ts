import { defineFaults } from "@hawser/base";

/** Docker's own words wherever its clients show or match them. */
export const imageFaults = defineFaults({
  PULL_DENIED: [
    "not-found",
    (name: string, words: string) =>
      `pull access denied for ${name}, repository does not exist or may require 'docker login': ${words}`,
  ],
  MANIFEST_NOT_FOUND: [
    "not-found",
    (reference: string, words: string) => `manifest for ${reference} not found: ${words}`,
  ],
  REPOSITORY_NOT_FOUND: [
    "not-found",
    (name: string, words: string) => `repository ${name} not found: ${words}`,
  ],
  /** Not `unauthenticated`: Docker's client would ask for a password then. */
  REGISTRY_UNAUTHORIZED: ["permission-denied", (words: string) => words],
  LOGIN_REFUSED: ["unauthenticated", (words: string) => words],
  REGISTRY_ADDRESS: [
    "invalid-argument",
    (address: string) => `Cannot log in to "${address}": host[:port] was wanted`,
  ],
  NO_MANIFEST: [
    "not-found",
    (platform: string) => `no matching manifest for ${platform} in the manifest list entries`,
  ],
  PLATFORM_MISMATCH: [
    "not-found",
    (reference: string, wanted: string, is: string) =>
      `image with reference ${reference} was found but does not match the specified platform: wanted ${wanted}, actual: ${is}`,
  ],
  IMAGE_PLATFORM: [
    "not-found",
    (reference: string, is: string, wanted: string) =>
      `image with reference ${reference} was found but its platform (${is}) does not match the specified platform (${wanted})`,
  ],
  SYSTEM_UNSUPPORTED: [
    "invalid-argument",
    (os: string) => `image operating system "${os}" cannot be used on this platform`,
  ],
  NOTHING_TO_SAVE: [
    "not-found",
    (platform: string) => `no suitable export target found for platform ${platform}`,
  ],
  NOT_AN_IMAGE: [
    "invalid-argument",
    (mediaType: string) => `Encountered remote "${mediaType}" when fetching: it is not an image`,
  ],
  INDEX_TOO_DEEP: ["invalid-argument", () => "Cannot choose an image: an index lists an index of indexes"],
  PUSH_NO_IMAGE: ["not-found", (name: string) => `An image does not exist locally with the tag: ${name}`],
  PUSH_NO_TAG: ["not-found", (reference: string) => `tag does not exist: ${reference}`],
  PUSH_DIGEST: ["invalid-argument", () => "cannot push a digest reference"],
  SEARCH_LIMIT_WORD: [
    "invalid-argument",
    (text: string) =>
      `invalid limit specified: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
  ],
  SEARCH_LIMIT: ["invalid-argument", (limit: number) => `limit ${limit} is outside the range of [1, 100]`],
  ARCHIVE_UNREACHABLE: ["internal", (words: string) => words],
  CHANGE_UNKNOWN: ["invalid-argument", (word: string) => `${word} is not a valid change command`],
  CHANGE_INVALID: ["invalid-argument", (why: string) => why],
  FILTER_UNTIL: [
    "invalid-argument",
    (value: string) => `failed to parse value as time or duration: ${JSON.stringify(value)}`,
  ],
  FILTER_VALUE: ["invalid-argument", (name: string, value: string) => `invalid filter '${name}=[${value}]'`],
});
