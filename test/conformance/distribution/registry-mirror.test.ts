import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type TarSource, writeTar } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { parseDigest } from "@hawser/oci";
import { RegistryClient } from "@hawser/registry/client";
import type { RegistryOptions, Upstream } from "@hawser/registry/server";
import { type FakeRegistry, openFakeRegistry } from "@hawser/registry/testing";
import {
  describeBlob,
  digestOf,
  openTestRegistry,
  pushImage,
  type TestRegistry,
  types,
} from "./kit-registry.ts";

/** A registry that keeps what others have. */
async function openMirror(
  upstreams: readonly Upstream[],
  options: Partial<RegistryOptions> & { readonly freshMs?: number } = {},
) {
  const client = new RegistryClient({
    settings: { mirrors: [], insecure: [], hostFolders: [] },
    environment: {},
    userAgent: "test",
    idleMs: 5000,
    retry: { retries: 1, firstDelayMs: 1, maxDelayMs: 10, random: () => 0 },
  });
  const { freshMs = 0, ...rest } = options;
  const registry = await openTestRegistry({
    ...rest,
    pullThrough: { upstreams, client, freshMs, keepMs: 1000_000 },
  });
  const close = registry[Symbol.asyncDispose];
  return Object.assign(registry, {
    async [Symbol.asyncDispose]() {
      await close();
      client[Symbol.dispose]();
    },
  });
}

function publish(
  registry: FakeRegistry,
  tag: string,
  layer: Buffer,
): { readonly digest: string; readonly layer: string } {
  const config = Buffer.from(`{"tag":"${tag}"}`);
  const blob = registry.addBlob(layer);
  const digest = registry.addManifest("team/app", tag, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, digest: registry.addBlob(config), size: config.length },
    layers: [{ mediaType: types.layer, digest: blob, size: layer.length }],
  });
  return { digest, layer: blob };
}

const status = async (mirror: TestRegistry, path: string) => (await mirror.ask("GET", path)).status;
const manifestOf = (tag: string) => `/v2/hub/team/app/manifests/${tag}`;
const blobOf = (digest: string) => `/v2/hub/team/app/blobs/${digest}`;

describe("a mirror", () => {
  test("fetches once, gives from then on, and does not take pushes", async () => {
    await using upstream = await openFakeRegistry();
    await using mirror = await openMirror([{ prefix: "hub", registry: upstream.address }], { freshMs: 1e9 });
    const { digest, layer } = publish(upstream, "1", randomBytes(300_000));
    for (const path of [manifestOf("1"), manifestOf(digest), blobOf(layer)]) {
      const first = await mirror.ask("GET", path);
      assert.equal(first.status, 200, first.body.toString());
      const again = await mirror.ask("GET", path);
      assert.deepEqual(again.body, first.body);
      assert.equal(digestOf(again.body), path.includes("blobs") ? layer : digest);
    }
    assert.equal(upstream.count(/^GET .*manifests/), 1);
    assert.equal(upstream.count(/^GET .*blobs/), 1);
    const part = await mirror.ask("GET", blobOf(layer), { headers: { Range: "bytes=10-19" } });
    assert.equal(part.status, 206);
    assert.equal(await status(mirror, manifestOf("2")), 404);
    assert.equal(await status(mirror, blobOf(digestOf("nothing"))), 404);
    assert.equal((await mirror.ask("POST", "/v2/hub/team/app/blobs/uploads/")).status, 405);
    assert.equal((await mirror.ask("POST", "/v2/own/blobs/uploads/")).status, 202);
    const tags = await mirror.ask("GET", "/v2/hub/team/app/tags/list");
    assert.deepEqual(JSON.parse(tags.body.toString()), { name: "hub/team/app", tags: ["1"] });
  });

  test("follows a tag that moves, and one that is taken away; asks not before it must", async () => {
    await using upstream = await openFakeRegistry();
    let nowMs = Date.now();
    const upstreams = [{ prefix: "hub", registry: upstream.address }];
    await using mirror = await openMirror(upstreams, { freshMs: 60_000, now: () => nowMs });
    const one = publish(upstream, "latest", Buffer.from("one"));
    const digest = async () =>
      (await mirror.ask("HEAD", manifestOf("latest"))).headers["docker-content-digest"];
    assert.equal(await digest(), one.digest);
    const two = publish(upstream, "latest", Buffer.from("two, which is another"));
    assert.equal(await digest(), one.digest);
    assert.equal(upstream.seen.length, 1);
    nowMs += 61_000;
    assert.equal(await digest(), two.digest);
    nowMs += 61_000;
    const before = upstream.count(/^GET .*manifests/);
    assert.equal(await digest(), two.digest);
    assert.equal(upstream.count(/^GET .*manifests/), before);
    upstream.manifests.clear();
    nowMs += 61_000;
    assert.equal(await digest(), undefined);
    assert.equal(await status(mirror, manifestOf("latest")), 404);
  });

  test("gives what it has while the upstream is away, busy, or out of its mind", async () => {
    await using upstream = await openFakeRegistry();
    await using mirror = await openMirror([{ prefix: "", registry: upstream.address }]);
    const { digest, layer } = publish(upstream, "1", randomBytes(1000));
    const manifest = "/v2/team/app/manifests/1";
    const blob = `/v2/team/app/blobs/${layer}`;
    assert.equal(await status(mirror, manifest), 200);
    assert.equal(await status(mirror, blob), 200);
    const other = publish(upstream, "2", randomBytes(1000));
    for (const code of [429, 500, 503, 302]) {
      upstream.intercept = (_, response) => {
        response.writeHead(code, { location: "/" }).end();
        return true;
      };
      assert.equal(await status(mirror, manifest), 200, `${code}`);
    }
    upstream.intercept = (_, response) => {
      response.socket?.resetAndDestroy();
      return true;
    };
    assert.equal(await status(mirror, manifest), 200);
    assert.equal(await status(mirror, `/v2/team/app/manifests/${digest}`), 200);
    assert.equal(await status(mirror, blob), 200);
    assert.equal(await status(mirror, "/v2/team/app/tags/list"), 200);
    // Nobody knows whether there is something of what was never asked for.
    for (const path of ["tags/list", `referrers/${digest}`])
      assert.equal(await status(mirror, `/v2/team/other/${path}`), 503, path);
    assert.equal(await status(mirror, "/v2/team/app/manifests/2"), 503);
    assert.equal(await status(mirror, `/v2/team/app/blobs/${other.layer}`), 503);
    // What is refused to the mirror is not a login that its clients lack.
    upstream.intercept = (_, response) => {
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
      return true;
    };
    const refused = await mirror.ask("GET", "/v2/team/app/manifests/2");
    assert.equal(refused.status, 403);
    assert.equal(refused.headers["www-authenticate"], undefined);
  });

  test("logs in at the upstream with what it was given", async () => {
    const login = { kind: "bearer", username: "mirror", password: "secret" } as const;
    await using upstream = await openFakeRegistry({ login });
    const { layer } = publish(upstream, "1", randomBytes(1000));
    await using mirror = await openMirror([
      { prefix: "hub", registry: upstream.address, credentials: { username: "mirror", password: "secret" } },
      { prefix: "nobody", registry: upstream.address },
    ]);
    assert.equal(await status(mirror, manifestOf("1")), 200);
    assert.equal(await status(mirror, blobOf(layer)), 200);
    assert.equal(await status(mirror, "/v2/nobody/team/app/manifests/1"), 403);
  });

  test("has one download for all who want a blob, and they get it while it comes", async () => {
    await using upstream = await openFakeRegistry();
    await using mirror = await openMirror([{ prefix: "hub", registry: upstream.address }]);
    const bytes = randomBytes(3_000_000);
    const { layer } = publish(upstream, "1", bytes);
    const goOn = Promise.withResolvers<void>();
    upstream.intercept = (request, response) => {
      if (request.method !== "GET" || !request.url?.includes("/blobs/")) return false;
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 1_000_000));
      void goOn.promise.then(() => response.end(bytes.subarray(1_000_000)));
      return true;
    };
    // Half of it is there before the other half has left.
    const half = await mirror
      .ask("GET", blobOf(layer), { headers: { Range: "bytes=0-499999" } })
      .then((reply) => reply, String);
    assert.ok(typeof half !== "string" && half.body.equals(bytes.subarray(0, 500_000)));
    const replies = Promise.all(Array.from({ length: 20 }, () => mirror.ask("GET", blobOf(layer))));
    await eventually(() => upstream.count(/^GET .*blobs/) === 2, { what: "the download has begun" });
    goOn.resolve();
    for (const { status: code, body } of await replies) {
      assert.equal(code, 200);
      assert.ok(body.equals(bytes));
    }
    assert.equal(upstream.count(/^GET .*blobs/), 2);
  });

  test("never ends an answer whose bytes are others, and keeps nothing of it; the next try is a new one", async () => {
    await using upstream = await openFakeRegistry();
    await using dir = await openTempDir();
    await using mirror = await openMirror([{ prefix: "hub", registry: upstream.address }], {
      root: dir.path,
    });
    const bytes = randomBytes(200_000);
    const { layer } = publish(upstream, "1", bytes);
    upstream.blobs.set(layer, randomBytes(200_000));
    await assert.rejects(mirror.ask("GET", blobOf(layer)));
    assert.deepEqual(await readdir(join(dir.path, "uploads")), []);
    assert.equal(mirror.registry?.service.index.repositoriesWith(parseDigest(layer)).length, 0);
    upstream.blobs.set(layer, bytes);
    assert.ok((await mirror.ask("GET", blobOf(layer))).body.equals(bytes));
    // A manifest, too.
    const lie = publish(upstream, "2", Buffer.from("two"));
    upstream.manifests.set(`team/app@${lie.digest}`, { mediaType: types.manifest, bytes: Buffer.from("{}") });
    assert.equal(await status(mirror, manifestOf(lie.digest)), 503);
  });

  test("gives nobody what another of its repositories has and he may not pull", async () => {
    await using upstream = await openFakeRegistry();
    const secret = Buffer.from("a secret of the registry's own");
    await using mirror = await openMirror([{ prefix: "hub", registry: upstream.address }], {
      access: {
        rules: [
          { user: "anonymous", repository: "hub/*", actions: ["pull"] },
          { user: "anonymous", repository: "drop", actions: ["push"] },
        ],
      },
    });
    const begun = await mirror.ask("POST", `/v2/drop/blobs/uploads/?digest=${digestOf(secret)}`, {
      body: secret,
    });
    assert.equal(begun.status, 201);
    // The upstream says that a manifest of it has that blob.
    upstream.addManifest("team/app", "1", {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, digest: digestOf(secret), size: secret.length },
      layers: [],
    });
    assert.equal(await status(mirror, manifestOf("1")), 200);
    assert.equal(await status(mirror, blobOf(digestOf(secret))), 404);
  });

  test("tells what is about an image: signatures, attestations; by the upstream's list or by its fallback tag", async () => {
    await using upstream = await openTestRegistry();
    const { host } = new URL(upstream.url);
    await using mirror = await openMirror([{ prefix: "hub", registry: host }]);
    const manifest = await pushImage(upstream, "team/app", { reference: "1" });
    const subject = { mediaType: types.manifest, digest: digestOf(manifest), size: manifest.length };
    const more = { artifactType: "application/vnd.test.signature", subject };
    const signature = await pushImage(upstream, "team/app", { layer: "signature", more });
    const path = `/v2/hub/team/app/referrers/${subject.digest}`;
    const referrers = async (query = "") =>
      (
        JSON.parse((await mirror.ask("GET", path + query)).body.toString()) as {
          readonly manifests: readonly { readonly digest: string; readonly artifactType: string }[];
        }
      ).manifests.map(({ digest, artifactType }) => [digest, artifactType]);
    assert.deepEqual(await referrers(), [[digestOf(signature), more.artifactType]]);
    assert.deepEqual(await referrers("?artifactType=other"), []);
    assert.equal(await status(mirror, manifestOf(digestOf(signature))), 200);
    await upstream.registry?.[Symbol.asyncDispose]();
    assert.deepEqual(await referrers(), [[digestOf(signature), more.artifactType]]);

    await using old = await openFakeRegistry();
    await using other = await openMirror([{ prefix: "hub", registry: old.address }]);
    const image = publish(old, "1", Buffer.from("one"));
    const list = async () =>
      (await other.ask("GET", `/v2/hub/team/app/referrers/${image.digest}`)).body.toString();
    assert.deepEqual((JSON.parse(await list()) as { manifests: unknown }).manifests, []);
    old.addManifest("team/app", image.digest.replace(":", "-"), {
      schemaVersion: 2,
      mediaType: types.index,
      manifests: [{ ...subject, artifactType: more.artifactType }],
    });
    assert.match(await list(), /vnd\.test\.signature/);
  });

  test("forgets what nobody has used for long", async () => {
    await using upstream = await openFakeRegistry();
    let nowMs = Date.now();
    await using dir = await openTempDir();
    const upstreams = [{ prefix: "hub", registry: upstream.address }];
    await using mirror = await openMirror(upstreams, { root: dir.path, now: () => nowMs, freshMs: 1e9 });
    const used = publish(upstream, "used", randomBytes(1000));
    const old = publish(upstream, "old", randomBytes(1000));
    for (const path of [manifestOf("used"), blobOf(used.layer), manifestOf("old"), blobOf(old.layer)]) {
      assert.equal(await status(mirror, path), 200);
    }
    nowMs += 5_000_000;
    assert.equal(await status(mirror, manifestOf("used")), 200);
    const collect = async () =>
      await mirror.registry?.collectGarbage({ graceMs: 100_000, untagged: false, dryRun: false });
    const collected = await collect();
    assert.deepEqual([collected?.manifests, collected?.blobs], [1, 2]);
    upstream.intercept = (_, response) => {
      response.socket?.resetAndDestroy();
      return true;
    };
    assert.equal(await status(mirror, manifestOf("used")), 200);
    assert.equal(await status(mirror, blobOf(used.layer)), 200);
    assert.equal(await status(mirror, blobOf(old.layer)), 503);
    assert.equal(await status(mirror, manifestOf("old")), 503);
  });

  test("of archives gives what their image layouts have, and what they have become", async () => {
    await using dir = await openTempDir();
    await using mirror = await openMirror([{ prefix: "here", archives: dir.path }], { freshMs: 60_000 });
    const tagged = async (name: string) => await mirror.ask("GET", `/v2/here/${name}/manifests/latest`);
    assert.equal((await tagged("app")).status, 404);
    for (const content of ["one content", "another one"]) {
      const { manifest, layer } = await writeLayout(join(dir.path, "app.tar"), content);
      const got = await tagged("app");
      assert.equal(got.body.toString(), manifest);
      assert.equal(got.headers["content-type"], types.manifest);
      const blob = `/v2/here/app/blobs/${digestOf(layer)}`;
      const part = await mirror.ask("GET", blob, { headers: { Range: "bytes=5-9" } });
      assert.deepEqual([part.status, part.body.toString()], [206, layer.slice(5, 10)]);
      assert.equal((await mirror.ask("GET", blob)).body.toString(), layer);
    }
    const tags = await mirror.ask("GET", "/v2/here/app/tags/list");
    assert.deepEqual(JSON.parse(tags.body.toString()), { name: "here/app", tags: ["latest"] });
    assert.equal((await mirror.ask("POST", "/v2/here/app/blobs/uploads/")).status, 405);

    await writeFile(join(dir.path, "noise.tar"), randomBytes(10_000));
    assert.equal((await tagged("noise")).status, 503);
    await writeLayout(join(dir.path, "lie.tar"), "what it says", "what it has");
    assert.equal((await tagged("lie")).status, 200);
    await assert.rejects(mirror.ask("GET", `/v2/here/lie/blobs/${digestOf("what it says")}`));
    assert.deepEqual(
      mirror.registry?.service.index.repositoriesWith(parseDigest(digestOf("what it says"))),
      [],
    );
    // The file is gone, and what is here is not said to be what it has.
    await rm(join(dir.path, "app.tar"));
    assert.equal((await tagged("app")).status, 404);
  });
});

/** An image layout of one image in a tar archive. */
async function writeLayout(path: string, layer: string, has = layer) {
  const config = "{}";
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: describeBlob(config, types.config),
    layers: [describeBlob(layer, types.layer)],
  });
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  const index = {
    schemaVersion: 2,
    mediaType: types.index,
    manifests: [{ ...describeBlob(manifest, types.manifest), annotations }],
  };
  const blob = (bytes: string, content = bytes): TarSource => ({
    path: `blobs/${digestOf(bytes).replace(":", "/")}`,
    type: "file",
    content: Buffer.from(content),
  });
  const entries = [blob(config), blob(layer, has), blob(manifest)];
  const written = writeTar([
    ...entries,
    { path: "index.json", type: "file", content: Buffer.from(JSON.stringify(index)) },
  ]);
  await writeFile(path, written);
  return { manifest, layer };
}
