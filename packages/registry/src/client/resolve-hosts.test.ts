import assert from "node:assert/strict";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { certificates, openTempDir } from "@hawser/base/testing";
import { mediaTypes, parseDigest, parseReference } from "@hawser/oci";
import { type FakeRegistry, openFakeRegistry, sha256 } from "@hawser/registry/testing";
import { type RegistryAccess, RegistryClient } from "./registry-client.ts";

function openClient(hostFolders: readonly string[] = []): RegistryClient {
  return new RegistryClient({
    settings: { mirrors: [], insecure: [], hostFolders },
    environment: {},
    userAgent: "test",
    retry: { retries: 3, firstDelayMs: 1, maxDelayMs: 100, random: () => 0.5 },
  });
}

async function repositoryOf(client: RegistryClient, registry: FakeRegistry, access: RegistryAccess = {}) {
  return await client.repository(parseReference(`${registry.address}/team/app`), access);
}

describe("hosts.toml", () => {
  test("sends pulls to mirrors first, with their own headers, and never the registry's credentials", async () => {
    await using mirror = await openFakeRegistry();
    await using origin = await openFakeRegistry({ login: { kind: "basic", username: "ann", password: "x" } });
    await using dir = await openTempDir();
    const folder = join(dir.path, origin.address);
    await mkdir(folder);
    await writeFile(
      join(folder, "hosts.toml"),
      `server = "http://${origin.address}"
[host."http://${mirror.address}"]
capabilities = ["pull", "resolve"]
[host."http://${mirror.address}".header]
x-mirror = "yes"
`,
    );
    const content = Buffer.from("a layer");
    const described = { digest: parseDigest(sha256(content)), sizeBytes: content.length };
    origin.addBlob(content);
    const digest = origin.addManifest("team/app", "v1", { mediaType: mediaTypes.ociManifest });
    using client = openClient([dir.path]);
    const access = { credentials: { username: "ann", password: "x" } };
    const repository = await repositoryOf(client, origin, access);
    // The mirror has nothing: the registry itself is asked.
    assert.equal((await repository.getManifest("v1")).digest, digest);
    mirror.addBlob(content);
    assert.deepEqual(Buffer.concat(await Array.fromAsync(repository.fetchBlob(described))), content);
    assert.equal(origin.count(/blobs/), 0);
    for (const { headers } of mirror.seen) {
      assert.equal(headers.authorization, undefined);
      assert.equal(headers["x-mirror"], "yes");
    }
    await repository.putManifest("v2", await repository.getManifest("v1"));
    assert.equal(origin.count(/^PUT/) > 0, true);
    assert.equal(mirror.count(/^PUT/), 0);
  });

  test("that is wrong is told with its place", async () => {
    await using dir = await openTempDir();
    await mkdir(join(dir.path, "example.org"));
    const path = join(dir.path, "example.org", "hosts.toml");
    for (const [text, problem] of [
      ["server = 5", /hosts\.toml: server is not a string/],
      ["[host", /hosts\.toml: /],
      [
        '[host."https://a"]\ncapabilities = ["pul"]',
        /host\.https:\/\/a\.capabilities is not of pull, resolve/,
      ],
      ['[host."https://a"]\nca = 1', /host\.https:\/\/a\.ca is not a string or strings/],
      ['[host."https://a".header]\nx = "1\\n2"', /hosts\.toml: host\.https:\/\/a\.header is not of headers/],
      ['[host."https://a".header]\n"x y" = "1"', /hosts\.toml: host\.https:\/\/a\.header is not of headers/],
      ['client = "hosts.toml"\nserver = "a"', /hosts\.toml: a certificate and its key were wanted/],
    ] as const) {
      await writeFile(path, text);
      using client = openClient([dir.path]);
      await assert.rejects(client.repository(parseReference("example.org/a")), problem);
    }
  });
});

test("a certificate of certs.d or of a hosts.toml proves who we are; without it nobody is let in", async () => {
  const [cert, key, ca] = await Promise.all(
    [certificates.server.cert, certificates.server.key, certificates.authority].map((path) => readFile(path)),
  );
  await using registry = await openFakeRegistry({ tls: { cert, key, ca, requestCert: true } });
  const digest = registry.addManifest("team/app", "v1", { mediaType: mediaTypes.ociManifest });
  for (const form of ["certs.d", "hosts.toml", "stranger"] as const) {
    await using dir = await openTempDir();
    const folder = join(dir.path, registry.address);
    await mkdir(folder);
    const who = certificates[form === "stranger" ? "stranger" : "client"];
    await copyFile(who.cert, join(folder, form === "hosts.toml" ? "who.pem" : "who.cert"));
    await copyFile(who.key, join(folder, "who.key"));
    if (form === "hosts.toml") {
      const text = `server = "https://${registry.address}"\nclient = [["who.pem", "who.key"]]\n`;
      await writeFile(join(folder, form), text);
    }
    using client = openClient([dir.path]);
    const got = (await repositoryOf(client, registry)).getManifest("v1");
    if (form === "stranger") await assert.rejects(got, { kind: "unavailable" });
    else assert.equal((await got).digest, digest);
  }
  using client = openClient();
  await assert.rejects((await repositoryOf(client, registry)).getManifest("v1"), { kind: "unavailable" });
});
