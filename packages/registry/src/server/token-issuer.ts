import { generateKeyPairSync, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, writeFileAtomic } from "@hawser/base";
import { calculateJwkThumbprint, importJWK, type JWK, SignJWT } from "jose";
import type { Access, Caller } from "./access.ts";
import { serverFaults } from "./faults.ts";
import { actionsOf, createTokenVerifier, type Grant, type TokenVerifier } from "./token-verifier.ts";

const lifeSeconds = 300;
const refreshLifeSeconds = 90 * 24 * 3600;

/** A token as its asker gets it. */
export interface IssuedToken {
  readonly token: string;
  readonly grants: readonly Grant[];
  readonly lifeSeconds: number;
  readonly issuedAt: Date;
}

/** Makes tokens for the users of a registry, by its rules. */
export interface TokenIssuer {
  readonly verify: TokenVerifier;
  /** For as much of `wanted` as the caller may do. */
  issue(caller: Caller, wanted: readonly Grant[]): Promise<IssuedToken>;
  /** A token that stands for a user until his password changes. */
  issueRefresh(user: string): Promise<string>;
  /** @throws {Fault} `unauthenticated` */
  callerOfRefresh(token: string): Promise<Caller>;
}

/**
 * Open the issuer of a registry. Its key is made once and kept in its folder, `tokens.json`, so that tokens live through a restart.
 *
 * @param options.name of the service: tokens are by it and for it
 */
export async function openTokenIssuer(
  folder: string,
  options: { readonly name: string; readonly access: Access; readonly now: () => number },
): Promise<TokenIssuer> {
  const { name, access, now } = options;
  const jwk = await openKey(join(folder, "tokens.json"));
  const key = await importJWK(jwk, "ES256");
  const { d: _secret, ...open } = jwk;
  const jwks = JSON.stringify({ keys: [open] });
  const kid = await calculateJwkThumbprint(open);
  const refreshAudience = `refresh of ${name}`;
  const verifyRefresh = await createTokenVerifier({ service: refreshAudience, issuer: name, jwks }, { now });
  const sign = async (
    claims: { readonly [name: string]: unknown },
    { audience, seconds, user }: { audience: string; seconds: number; user: string },
  ) => {
    const issued = Math.floor(now() / 1000);
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", typ: "JWT", kid })
      .setIssuer(name)
      .setSubject(user)
      .setAudience(audience)
      .setIssuedAt(issued)
      .setNotBefore(issued)
      .setExpirationTime(issued + seconds)
      .setJti(randomUUID())
      .sign(key);
  };
  return {
    verify: await createTokenVerifier({ service: name, issuer: name, jwks }, { now }),
    async issue(caller, wanted) {
      const grants = wanted.flatMap((grant) => grantOf(caller, grant));
      const token = await sign(
        { access: grants },
        { audience: name, seconds: lifeSeconds, user: caller.user ?? "" },
      );
      return { token, grants, lifeSeconds, issuedAt: new Date(now()) };
    },
    issueRefresh: async (user) =>
      await sign(
        { access: [{ type: "password", name: access.passwordMark(user), actions: [] }] },
        { audience: refreshAudience, seconds: refreshLifeSeconds, user },
      ),
    async callerOfRefresh(token) {
      const { subject, grants } = await verifyRefresh(token);
      const mark = subject && access.passwordMark(subject);
      if (mark === undefined || grants[0]?.name !== mark) throw serverFaults.UNAUTHORIZED();
      return access.callerOf(subject);
    },
  };
}

function grantOf(caller: Caller, wanted: Grant): readonly Grant[] {
  const { type, name } = wanted;
  const actions =
    type === "repository"
      ? actionsOf(wanted).filter((action) => caller.allows({ repository: name, action }))
      : name === "catalog" && caller.mayList
        ? ["*"]
        : [];
  return actions.length === 0 ? [] : [{ type, name, actions }];
}

async function openKey(path: string): Promise<JWK> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as JWK;
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  const jwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
  await writeFileAtomic(path, JSON.stringify(jwk));
  return jwk as JWK;
}
