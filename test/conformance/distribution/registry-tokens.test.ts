import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Fault, silentLogger } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { parseDigest, parseReference } from "@hawser/oci";
import { RegistryClient } from "@hawser/registry/client";
import { type AccessOptions, openOwnCertificate, openRegistry, parseUsers } from "@hawser/registry/server";
import bcrypt from "bcryptjs";
import { type JWTPayload, SignJWT } from "jose";
import { digestOf, openTestRegistry, type TestRegistry } from "./kit-registry.ts";

const hash = bcrypt.hashSync("right", 4);
const access: AccessOptions = {
  users: parseUsers(`ann:${hash}\nbob:${hash}\n`),
  rules: [
    { user: "ann", repository: "*", actions: ["pull", "push", "delete"] },
    { user: "bob", repository: "team/*", actions: ["pull"] },
    { user: "anonymous", repository: "open", actions: ["pull"] },
  ],
};
const tokens = { by: "registry", name: "registry.example" } as const;
const basic = (user: string, password = "right") => ({
  Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

interface TokenReply {
  readonly token: string;
  readonly access_token: string;
  readonly expires_in: number;
  readonly issued_at: string;
  readonly scope: string;
  readonly refresh_token?: string;
}

async function tokenFor(
  registry: TestRegistry,
  {
    user,
    scope = "",
    query = "",
  }: { readonly user?: string; readonly scope?: string; readonly query?: string },
): Promise<TokenReply> {
  const path = `/token?service=registry.example&scope=${encodeURIComponent(scope)}${query}`;
  const reply = await registry.ask("GET", path, user === undefined ? {} : { headers: basic(user) });
  assert.equal(reply.status, 200, reply.body.toString());
  return JSON.parse(reply.body.toString()) as TokenReply;
}

async function statusOf(registry: TestRegistry, token: string, request: string): Promise<number> {
  const [method = "", path = ""] = request.split(" ");
  return (await registry.ask(method, path, bearer(token))).status;
}

describe("tokens of the registry's own", () => {
  test("are asked for where the challenge says, for what the rules allow, and good for that alone", async () => {
    await using registry = await openTestRegistry({ access, tokens });
    const refused = await registry.ask("POST", "/v2/team/app/blobs/uploads/");
    assert.equal(refused.status, 401);
    assert.equal(
      refused.headers["www-authenticate"],
      `Bearer realm="${registry.url}/token",service="registry.example",scope="repository:team/app:pull,push"`,
    );
    const ann = await tokenFor(registry, { user: "ann", scope: "repository:team/app:pull,push" });
    assert.equal(ann.scope, "repository:team/app:pull,push");
    assert.equal(ann.access_token, ann.token);
    assert.ok(Math.abs(Date.parse(ann.issued_at) - Date.now()) < 60_000);
    assert.equal(await statusOf(registry, ann.token, "GET /v2/"), 200);
    assert.equal(await statusOf(registry, ann.token, "POST /v2/team/app/blobs/uploads/"), 202);
    assert.equal(await statusOf(registry, ann.token, "POST /v2/team/other/blobs/uploads/"), 401);
    assert.equal(await statusOf(registry, ann.token, "DELETE /v2/team/app/manifests/x"), 401);
    const bob = await tokenFor(registry, {
      user: "bob",
      scope:
        "repository:team/app:pull,push,delete repository:own:* repository:Bad:pull nonsense registry:catalog:*",
    });
    assert.equal(bob.scope, "repository:team/app:pull registry:catalog:*");
    assert.equal(await statusOf(registry, bob.token, "GET /v2/team/app/tags/list"), 404);
    const over = await registry.ask("POST", "/v2/team/app/blobs/uploads/", bearer(bob.token));
    assert.equal(over.status, 401);
    assert.match(
      String(over.headers["www-authenticate"]),
      /scope="repository:team\/app:pull,push",error="insufficient_scope"$/,
    );
    const nobody = await tokenFor(registry, { scope: "repository:open:pull,push repository:team/app:pull" });
    assert.equal(nobody.scope, "repository:open:pull");
    assert.equal(await statusOf(registry, nobody.token, "GET /v2/open/tags/list"), 404);
    assert.equal((await registry.ask("GET", "/v2/open/tags/list")).status, 404);
    for (const headers of [basic("ann", "wrong"), basic("eve")]) {
      assert.equal((await registry.ask("GET", "/token", { headers })).status, 401);
    }
  });

  test("show in the catalogue what the rules show", async () => {
    await using registry = await openTestRegistry({ access, tokens });
    registry.registry?.service.index.linkBlob("own", parseDigest(digestOf("x")));
    registry.registry?.service.index.linkBlob("team/app", parseDigest(digestOf("x")));
    const list = async (token: string) => {
      const reply = await registry.ask("GET", "/v2/_catalog", bearer(token));
      return reply.status === 200 ? JSON.parse(reply.body.toString()) : reply.headers["www-authenticate"];
    };
    const { token } = await tokenFor(registry, { user: "bob", scope: "registry:catalog:*" });
    assert.deepEqual(await list(token), { repositories: ["team/app"] });
    const other = await tokenFor(registry, { user: "ann", scope: "repository:own:pull" });
    assert.match(String(await list(other.token)), /scope="registry:catalog:\*"/);
  });

  test("expire; a refresh token makes others, until the password changes, and opens nothing itself", async () => {
    await using dir = await openTempDir();
    let nowMs = Date.now();
    const post = async (registry: TestRegistry, form: Readonly<Record<string, string>>) =>
      await registry.ask("POST", "/token", {
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ service: "registry.example", ...form }).toString(),
      });
    let refresh = "";
    {
      await using registry = await openTestRegistry({ access, tokens, root: dir.path, now: () => nowMs });
      const scope = "repository:a:pull";
      const first = await tokenFor(registry, { user: "ann", scope, query: "&offline_token=true" });
      refresh = first.refresh_token ?? "";
      assert.equal(await statusOf(registry, first.token, "GET /v2/a/tags/list"), 404);
      nowMs += (first.expires_in + 61) * 1000;
      assert.equal(await statusOf(registry, first.token, "GET /v2/a/tags/list"), 401);
      assert.equal(await statusOf(registry, refresh, "GET /v2/"), 401);
      const byPassword = await post(registry, {
        grant_type: "password",
        username: "ann",
        password: "right",
        access_type: "offline",
        scope,
      });
      const reply = JSON.parse(byPassword.body.toString()) as TokenReply;
      assert.equal(await statusOf(registry, reply.access_token, "GET /v2/a/tags/list"), 404);
      assert.ok(reply.refresh_token);
      // Not a refresh token, not for one.
      assert.equal(
        (await post(registry, { grant_type: "refresh_token", refresh_token: first.token })).status,
        401,
      );
      assert.equal((await post(registry, { grant_type: "implicit" })).status, 400);
      assert.equal(
        (await post(registry, { grant_type: "password", username: "ann", password: "x" })).status,
        401,
      );
      assert.equal(
        (await post(registry, { grant_type: "password", padding: "x".repeat(70_000) })).status,
        413,
      );
    }
    {
      // Another process, the same key.
      await using registry = await openTestRegistry({ access, tokens, root: dir.path, now: () => nowMs });
      const renewed = await post(registry, {
        grant_type: "refresh_token",
        refresh_token: refresh,
        scope: "repository:a:pull",
      });
      const { token } = JSON.parse(renewed.body.toString()) as TokenReply;
      assert.equal(await statusOf(registry, token, "GET /v2/a/tags/list"), 404);
    }
    const users = parseUsers(`ann:${bcrypt.hashSync("other", 4)}\n`);
    await using registry = await openTestRegistry({ access: { ...access, users }, tokens, root: dir.path });
    const late = await post(registry, { grant_type: "refresh_token", refresh_token: refresh });
    assert.equal(late.status, 401);
  });

  test("let our client in with a password, with what a login gave, and for a mount", async () => {
    await using registry = await openTestRegistry({ access, tokens });
    using client = new RegistryClient({
      settings: { mirrors: [], insecure: [], hostFolders: [] },
      environment: {},
      userAgent: "test",
    });
    const { host } = new URL(registry.url);
    await assert.rejects(client.login(host, { username: "ann", password: "wrong" }), (error) =>
      Fault.is(error, "unauthenticated"),
    );
    const { identityToken } = await client.login(host, { username: "ann", password: "right" });
    assert.ok(identityToken);
    const bytes = Buffer.from("a layer");
    const digest = parseDigest(digestOf(bytes));
    const blob = {
      digest,
      sizeBytes: bytes.length,
      async *open(offset: number) {
        yield bytes.subarray(offset);
      },
    };
    const open = async (path: string, credentials?: object) =>
      await client.repository(parseReference(`${host}/${path}`), credentials ? { credentials } : {});
    const own = await open("own", { identityToken });
    await own.uploadBlob(blob);
    const other = await open("team/app", { username: "ann", password: "right" });
    assert.equal(await other.uploadBlob(blob, { mountFrom: "own" }).then(({ kind }) => kind), "mounted");
    assert.equal(
      (await (await open("team/app", { username: "bob", password: "right" })).readBlob(blob)).toString(),
      "a layer",
    );
    await assert.rejects(
      (await open("own", { username: "bob", password: "right" })).readBlob(blob),
      (error) => Fault.is(error, "permission-denied"),
    );
  });
});

describe("tokens of a service elsewhere", () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const service = {
    by: "service",
    realm: "https://auth.example/token",
    service: "registry.example",
    issuer: "auth.example",
  } as const;
  const jwks = JSON.stringify({ keys: [{ ...pair.publicKey.export({ format: "jwk" }), kid: "one" }] });
  const claims = (more: JWTPayload = {}): JWTPayload => ({
    iss: "auth.example",
    aud: "registry.example",
    sub: "ann",
    exp: Math.floor(Date.now() / 1000) + 300,
    access: [{ type: "repository", name: "a", actions: ["pull"] }],
    ...more,
  });
  const sign = async (payload: JWTPayload, { key = pair.privateKey, header = {} } = {}) =>
    await new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid: "one", ...header }).sign(key);

  test("are believed when all of them is right, and nothing else is", async () => {
    await using registry = await openTestRegistry({ tokens: { ...service, jwks } });
    const refused = await registry.ask("GET", "/v2/a/tags/list");
    assert.equal(
      refused.headers["www-authenticate"],
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a:pull"',
    );
    const good = await sign(claims());
    assert.equal(await statusOf(registry, good, "GET /v2/a/tags/list"), 404);
    assert.equal(await statusOf(registry, good, "POST /v2/a/blobs/uploads/"), 401);
    assert.equal((await registry.ask("GET", "/token")).status, 404);
    const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    const [, body = ""] = good.split(".");
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const shared = `${encode({ alg: "HS256", kid: "one" })}.${body}`;
    const pem = pair.publicKey.export({ type: "spki", format: "pem" });
    const wrong: Readonly<Record<string, string>> = {
      "by another key": await sign(claims(), { key: stranger }),
      "by a key nobody knows": await sign(claims(), { header: { kid: "two" } }),
      "for another service": await sign(claims({ aud: "other" })),
      "of another issuer": await sign(claims({ iss: "other" })),
      "too old": await sign(claims({ exp: Math.floor(Date.now() / 1000) - 100 })),
      "too young": await sign(claims({ nbf: Math.floor(Date.now() / 1000) + 1000 })),
      "without an end": await sign(claims({ exp: undefined } as unknown as JWTPayload)),
      "not signed": `${encode({ alg: "none", kid: "one" })}.${body}.`,
      "signed with what is public": `${shared}.${createHmac("sha256", pem).update(shared).digest("base64url")}`,
      "no token at all": "x.y.z",
    };
    for (const [what, token] of Object.entries(wrong)) {
      const reply = await registry.ask("GET", "/v2/a/tags/list", bearer(token));
      assert.equal(reply.status, 401, what);
      assert.match(String(reply.headers["www-authenticate"]), /error="invalid_token"$/, what);
    }
    const broad = claims({
      access: [{ type: "registry", name: "catalog", actions: ["*"] }, null, { name: 1 }],
    });
    assert.equal(await statusOf(registry, await sign(broad), "GET /v2/_catalog"), 200);
    assert.equal(await statusOf(registry, await sign(broad), "GET /v2/a/tags/list"), 401);
  });

  test("may bring the certificate of their key, when an authority that is trusted gave it", async () => {
    await using dir = await openTempDir();
    const certify = async (name: string) => {
      const made = await openOwnCertificate(join(dir.path, name), {
        names: [name],
        localNames: [],
        nowMs: Date.now(),
      });
      const der = new X509Certificate(made.certificate).raw.toString("base64");
      const header = { kid: undefined, x5c: [der] } as unknown as object;
      const { createPrivateKey } = await import("node:crypto");
      return {
        pem: made.certificate,
        sign: async () => await sign(claims(), { key: createPrivateKey(made.key), header }),
      };
    };
    const known = await certify("known");
    const rogue = await certify("rogue");
    await using registry = await openTestRegistry({ tokens: { ...service, certificates: known.pem } });
    assert.equal(await statusOf(registry, await known.sign(), "GET /v2/a/tags/list"), 404);
    assert.equal(await statusOf(registry, await rogue.sign(), "GET /v2/a/tags/list"), 401);
  });

  test("without a key there is no registry", async () => {
    for (const keys of [
      {},
      { jwks: "{}" },
      { jwks: "no JSON" },
      { jwks: '{"keys":[{"kty":"oct","k":"AAAA"}]}' },
    ]) {
      await using dir = await openTempDir();
      const options = { root: dir.path, host: "127.0.0.1", port: 0, log: silentLogger };
      await assert.rejects(openRegistry({ ...options, tokens: { ...service, ...keys } }), (error) =>
        Fault.is(error, "invalid-argument"),
      );
    }
  });
});

describe("a certificate of the registry's own", () => {
  test("is made once, trusted by who has it, and made anew for a new name or when it ends", async () => {
    await using dir = await openTempDir();
    const open = async (names: readonly string[], nowMs = Date.now()) =>
      await openOwnCertificate(dir.path, { names, localNames: ["127.0.0.1", "::1", "localhost"], nowMs });
    const first = await open([]);
    assert.deepEqual(await open([]), first);
    assert.equal(await readFile(first.path, "utf8"), first.certificate);
    const named = await open(["registry.example", "fd00::7"]);
    assert.notEqual(named.fingerprint, first.fingerprint);
    const parsed = new X509Certificate(named.certificate);
    for (const address of ["127.0.0.1", "::1", "fd00::7"]) assert.ok(parsed.checkIP(address), address);
    assert.ok(parsed.checkHost("registry.example"));
    await assert.rejects(open(["no name/at all"]), (error) => Fault.is(error, "invalid-argument"));

    const { certificate, key } = await open([]);
    await using registry = await openTestRegistry({ tls: { certificate, key } });
    const get = async (ca: string | undefined) => {
      const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
      const request = httpsRequest(`${registry.url}/v2/`, { agent: false, ...(ca && { ca }) }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on("error", reject);
      request.end();
      return await promise;
    };
    await assert.rejects(get(undefined));
    assert.equal(await get(certificate), 200);
    const late = await open([], Date.now() + 10 * 365 * 24 * 3_600_000);
    assert.notEqual(late.fingerprint, named.fingerprint);
  });
});
