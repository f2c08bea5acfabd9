import { createHash } from "node:crypto";
import { ociFaults } from "./oci-faults.ts";

declare const digestBrand: unique symbol;

/** What content hashes to, and its name: `sha256:<64 lower case hexadecimal digits>` (or sha512). image-spec, "Digests". */
export type Digest = string & { readonly [digestBrand]: true };

const pattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** @throws {Fault} `invalid-argument` */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) throw ociFaults.DIGEST_INVALID(text.slice(0, 200));
  return text;
}

export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

export type DigestAlgorithm = "sha256" | "sha512";

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** What bytes hash to. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  return parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`);
}

/** The part after the colon. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** What people see and type: the first 12 hexadecimal digits. */
export function shortId(digest: Digest): string {
  return digestHex(digest).slice(0, 12);
}
