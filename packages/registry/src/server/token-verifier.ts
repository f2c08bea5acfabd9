import { createHash, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, type JWK, type JWTHeaderParameters, jwtVerify } from "jose";
import type { Action, Caller, Wish } from "./access.ts";
import { serverFaults } from "./faults.ts";

/** Whose tokens are believed. */
export interface TokenTrust {
  /** Whom tokens are for: their `aud`. */
  readonly service: string;
  /** Who makes them: their `iss`. */
  readonly issuer: string;
  /** PEM: keys, and authorities of keys that come with a token (`x5c`). */
  readonly certificates?: string;
  /** A JSON Web Key Set. */
  readonly jwks?: string;
}

/** What a token says that its bearer may do: an entry of `access`. distribution, "Token Authentication Implementation". */
export interface Grant {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

export interface VerifiedToken {
  readonly subject: string | undefined;
  readonly grants: readonly Grant[];
}

/** @throws {Fault} `unauthenticated` */
export type TokenVerifier = (token: string) => Promise<VerifiedToken>;

/** None that is made with a shared secret: what is public here must not be one. */
const algorithms = ["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"];
const clockToleranceSeconds = 60;
const maxTokenLength = 64 << 10;
const maxChain = 10;
const maxKept = 1000;

/**
 * Checks tokens: signature, issuer, audience, time. What was right is known until it expires, so that a pull costs one check.
 *
 * @throws {Fault} `invalid-argument` for keys that are none
 */
export async function createTokenVerifier(
  trust: TokenTrust,
  { now }: { readonly now: () => number },
): Promise<TokenVerifier> {
  const authorities = readCertificates(trust.certificates ?? "");
  const keys = await readKeys(trust, authorities);
  const [onlyKey, ...otherKeys] = new Set(keys.values());
  const findKey = ({ x5c, kid }: JWTHeaderParameters): KeyObject => {
    const key =
      x5c !== undefined
        ? keyOfChain(x5c, { authorities, nowMs: now() })
        : kid !== undefined
          ? keys.get(kid)
          : otherKeys.length === 0
            ? onlyKey
            : undefined;
    if (key === undefined) throw serverFaults.UNAUTHORIZED();
    return key;
  };
  const kept = new Map<string, VerifiedToken & { readonly endsMs: number }>();
  return async (token) => {
    const there = kept.get(token);
    if (there !== undefined && there.endsMs > now()) return there;
    kept.delete(token);
    if (token.length > maxTokenLength) throw serverFaults.UNAUTHORIZED();
    const { payload } = await jwtVerify(token, findKey, {
      algorithms,
      issuer: trust.issuer,
      audience: trust.service,
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(now()),
      requiredClaims: ["exp"],
    }).catch((error: unknown) => {
      throw serverFaults.UNAUTHORIZED().because(error);
    });
    const verified = {
      subject: payload.sub === "" ? undefined : payload.sub,
      grants: readGrants(payload["access"]),
      endsMs: ((payload.exp ?? 0) + clockToleranceSeconds) * 1000,
    };
    const [oldest] = kept.keys();
    if (kept.size >= maxKept && oldest !== undefined) kept.delete(oldest);
    kept.set(token, verified);
    return verified;
  };
}

/** The bearer of a token: he may do what it says, whatever rules there are. */
export function callerOfToken({ subject, grants }: VerifiedToken): Caller {
  const has = (type: string, name: string, action: string) =>
    grants.some(
      (grant) =>
        grant.type === type &&
        grant.name === name &&
        (grant.actions.includes(action) || grant.actions.includes("*")),
    );
  const mayList = has("registry", "catalog", "*");
  return {
    user: subject,
    mayList,
    allows: ({ repository, action }) => has("repository", repository, action),
    lists: () => mayList,
  };
}

/** `repository:team/app:pull,push`, as a registry asks for it. */
export function scopeOf({ repository, action }: Wish): string {
  return `repository:${repository}:${action === "push" ? "pull,push" : action}`;
}

/** What of a scope's text a registry knows; all of the rest is nothing. distribution, "Token Scope Documentation". */
export function parseScope(text: string): Grant | undefined {
  const [, type, name, actions = ""] =
    /^(repository|registry)(?:\([a-z0-9]+\))?:([^\s]{1,300}):([a-z*]+(?:,[a-z*]+)*)$/.exec(text) ?? [];
  return type === undefined || name === undefined
    ? undefined
    : { type, name, actions: [...new Set(actions.split(","))] };
}

export function actionsOf(grant: Grant): readonly Action[] {
  const all: readonly Action[] = ["pull", "push", "delete"];
  return grant.actions.includes("*") ? all : all.filter((action) => grant.actions.includes(action));
}

function readGrants(access: unknown): readonly Grant[] {
  return (Array.isArray(access) ? (access as readonly unknown[]) : []).flatMap((item) => {
    const { type, name, actions } = (item ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof type !== "string" || typeof name !== "string" || !Array.isArray(actions)) return [];
    return { type, name, actions: actions.filter((action) => typeof action === "string") };
  });
}

function readCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw serverFaults
      .CONFIG_INVALID("Cannot read the certificates of tokens: PEM was wanted")
      .because(error);
  }
}

/** By what tokens call them (`kid`): the set's own names, RFC 7638's thumbprint, and that of distribution 2. */
async function readKeys(
  { jwks }: TokenTrust,
  certificates: readonly X509Certificate[],
): Promise<ReadonlyMap<string, KeyObject>> {
  const keys = new Map<string, KeyObject>();
  const add = async (key: KeyObject, jwk: JWK) => {
    const spki = key.export({ type: "spki", format: "der" });
    for (const id of [jwk.kid, await calculateJwkThumbprint(jwk), libtrustId(spki)]) {
      if (id !== undefined) keys.set(id, key);
    }
  };
  try {
    for (const { publicKey } of certificates) await add(publicKey, await exportJWK(publicKey));
    const set = jwks === undefined ? undefined : (JSON.parse(jwks) as { readonly keys?: readonly JWK[] });
    for (const jwk of set?.keys ?? []) await add(createPublicKey({ key: jwk, format: "jwk" }), jwk);
  } catch (error) {
    throw serverFaults
      .CONFIG_INVALID("Cannot read the keys of tokens: a JSON Web Key Set was wanted")
      .because(error);
  }
  if (keys.size === 0) throw serverFaults.CONFIG_INVALID("Cannot check tokens: no key is given");
  return keys;
}

/** libtrust's fingerprint: 240 bits of SHA-256, base 32, in groups of four. */
function libtrustId(spki: Buffer): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...new Uint8Array(createHash("sha256").update(spki).digest().subarray(0, 30))]
    .map((byte) => byte.toString(2).padStart(8, "0"))
    .join("");
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join("");
  return (letters.match(/.{4}/g) ?? []).join(":");
}

/** The key of a token that brings its certificates: each one's issuer is the next, the last one's an authority. */
function keyOfChain(
  x5c: readonly string[],
  { authorities, nowMs }: { readonly authorities: readonly X509Certificate[]; readonly nowMs: number },
): KeyObject | undefined {
  if (x5c.length === 0 || x5c.length > maxChain) return undefined;
  let chain: readonly X509Certificate[];
  try {
    chain = x5c.map((text) => new X509Certificate(Buffer.from(text, "base64")));
  } catch {
    return undefined;
  }
  const isValid = ({ validFromDate, validToDate }: X509Certificate) =>
    validFromDate.getTime() <= nowMs && nowMs <= validToDate.getTime();
  const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate) =>
    issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  for (const [at, certificate] of chain.entries()) {
    if (!isValid(certificate)) return undefined;
    const isTrusted = authorities.some(
      (authority) =>
        authority.fingerprint256 === certificate.fingerprint256 ||
        (isValid(authority) && isIssuedBy(certificate, authority)),
    );
    if (isTrusted) return chain[0]?.publicKey;
    const next = chain[at + 1];
    if (next === undefined || !isIssuedBy(certificate, next)) return undefined;
  }
  return undefined;
}
