import { apiFaults } from "./faults.ts";

/** A version of the Engine API, `major.minor`, made by `parseApiVersion` or one of the constants here. */
export type ApiVersion = `${number}.${number}`;

/** Newest version that Hawser speaks; requests without a version mean this one. */
export const newestApiVersion: ApiVersion = "1.51";

/** Oldest version that Hawser speaks. */
export const oldestApiVersion: ApiVersion = "1.24";

/**
 * `1.51` as a version.
 *
 * @throws {Fault} `invalid-argument` for anything that is not two decimal numbers with a dot.
 */
export function parseApiVersion(text: string): ApiVersion {
  if (!/^\d{1,4}\.\d{1,4}$/.test(text)) throw apiFaults.API_VERSION_INVALID(text);
  return text as ApiVersion;
}

/** Negative when `a` is older than `b`, 0 when they are the same, positive when it is newer. */
export function compareApiVersions(a: ApiVersion, b: ApiVersion): number {
  const [aMajor = 0, aMinor = 0] = a.split(".").map(Number);
  const [bMajor = 0, bMinor = 0] = b.split(".").map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}
