import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { mediaTypes } from "@hawser/oci";
import { type FakeRegistry, openFakeRegistry } from "@hawser/registry/testing";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { layerOf, publishImage } from "./kit-registry.ts";
import { againstDockerd } from "./kit-target.ts";

const statementType = "application/vnd.in-toto+json";

describe("what is said of an image", { skip: againstDockerd }, () => {
  let engine: TestEngine;
  let registry: FakeRegistry;
  const resources = new AsyncDisposableStack();
  before(async () => {
    engine = resources.use(await openEngine());
    registry = resources.use(await openFakeRegistry());
  });
  after(() => resources.disposeAsync());

  const docker = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await engine.docker(args);
    assert.equal(exitCode, 0, stderr + stdout);
    return stdout;
  };
  const forMachine = (architecture: string) => ({ platform: { os: "linux", architecture } });
  const named = (repository: string) => `${registry.address}/${repository}`;
  const has = (repository: string, tag: string) => registry.manifests.get(`${repository}:${tag}`)?.bytes;
  const blobs = async () => {
    const names: string[] = await readdir(join(engine.dataRoot, "content/sha256")).catch(() => []);
    return names.toSorted();
  };
  const described = (repository: string, digest: string) => {
    const { mediaType, bytes } = registry.manifests.get(`${repository}@${digest}`) ?? assert.fail(digest);
    return { mediaType, digest, size: bytes.length };
  };
  const blob = (text: string, mediaType: string) => {
    return { mediaType, digest: registry.addBlob(Buffer.from(text)), size: Buffer.byteLength(text) };
  };

  /** An image, and a manifest that says something of it, as an index lists them. */
  const publish = async (repository: string, tag: string) => {
    const plainLayers = [await layerOf({ word: repository + tag })];
    const { manifestDigest, layers } = publishImage(registry, { repository, tag, form: "oci", plainLayers });
    const statement = blob(`{"_type":"of ${repository}:${tag}"}`, statementType);
    const about = registry.addManifest(repository, `about-${tag}`, {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: blob(`{"about":"${repository}:${tag}"}`, mediaTypes.ociConfig),
      layers: [statement],
    });
    const attestation = {
      ...described(repository, about),
      annotations: {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": manifestDigest,
      },
      platform: { os: "unknown", architecture: "unknown" },
    };
    const image = { ...described(repository, manifestDigest), ...forMachine("amd64") };
    return { image, attestation, statement, layer: layers[0] };
  };
  const addIndex = (repository: string, tag: string, manifests: readonly object[]) =>
    registry.addManifest(repository, tag, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  const publishOne = async (repository: string) => {
    const published = await publish(repository, "one");
    return { ...published, digest: addIndex(repository, "v1", [published.image, published.attestation]) };
  };

  test("comes with it, and goes with its names: to registries, into archives, and out of them", async () => {
    await using out = await openTempDir();
    const before = await blobs();
    const { digest } = await publishOne("kept/x");
    const whole = has("kept/x", "v1");
    assert.ok(whole);
    const name = named("kept/x:v1");
    await docker("pull", name);
    await docker("pull", name);
    await engine.kill();
    await engine.start();
    await docker("tag", name, named("by-tag/x:v1"));
    await docker("push", named("by-tag/x:v1"));
    assert.deepEqual(has("by-tag/x", "v1"), whole);
    await docker("tag", named(`by-tag/x@${digest}`), named("by-digest/x:v1"));
    await docker("push", named("by-digest/x:v1"));
    assert.deepEqual(has("by-digest/x", "v1"), whole);
    const digests = await docker("inspect", "-f", "{{json .RepoDigests}}", name);
    assert.deepEqual(
      (JSON.parse(digests) as string[]).toSorted(),
      ["by-digest", "by-tag", "kept"].map((folder) => named(`${folder}/x@${digest}`)),
    );

    for (const saved of [name, named(`kept/x@${digest}`)]) {
      const archive = join(out.path, "saved.tar");
      await docker("save", "-o", archive, saved);
      let top: { readonly manifests: readonly { readonly digest: string }[] } | undefined;
      for await (const { entry, data } of readTar(createReadStream(archive))) {
        const bytes = Buffer.concat(await Array.fromAsync(data));
        if (entry.path.toString() === "index.json") top = JSON.parse(String(bytes)) as typeof top;
      }
      assert.deepEqual(
        top?.manifests.map((one) => one.digest),
        [digest],
        saved,
      );
    }
    await docker("save", "-o", join(out.path, "saved.tar"), name);
    const id = await docker("inspect", "-f", "{{.Id}}", name);
    await docker("rmi", "-f", id.trim());
    assert.deepEqual(await blobs(), before, "nothing of it stays");
    await docker("load", "-i", join(out.path, "saved.tar"));
    await docker("tag", name, named("loaded/x:v1"));
    await docker("push", named("loaded/x:v1"));
    assert.deepEqual(has("loaded/x", "v1"), whole);
    await docker("rmi", name, named("loaded/x:v1"));
    assert.deepEqual(await blobs(), before, "nothing of it stays");
  });

  test("of one of several machines is not asked for: what others would get by the name is the image", async () => {
    const repository = "several/x";
    const [own, other] = [await publish(repository, "own"), await publish(repository, "other")];
    addIndex(repository, "v1", [
      own.image,
      { ...other.image, ...forMachine("arm64") },
      own.attestation,
      other.attestation,
    ]);
    await docker("pull", named("several/x:v1"));
    for (const { attestation } of [own, other])
      assert.equal(registry.count(new RegExp(`^GET .*${attestation.digest}`)), 0);
    await docker("tag", named("several/x:v1"), named("several/back:v1"));
    await docker("push", named("several/back:v1"));
    assert.deepEqual(has("several/back", "v1"), has(repository, "own"));
  });

  test("is left out of a push for a platform", async () => {
    await publishOne("platform/x");
    await docker("pull", named("platform/x:v1"));
    await docker("tag", named("platform/x:v1"), named("platform/back:v1"));
    await docker("push", "--platform", "linux/amd64", named("platform/back:v1"));
    assert.deepEqual(has("platform/back", "v1"), has("platform/x", "one"));
  });

  type Published = Awaited<ReturnType<typeof publishOne>>;
  for (const [when, damage, words] of [
    [
      "the registry has lost",
      ({ attestation }) => registry.manifests.delete(`broken/x@${attestation.digest}`),
      /attestations are not kept: .*manifest unknown/i,
    ],
    [
      "is not what it should be",
      ({ statement }) => registry.blobs.set(statement.digest, Buffer.alloc(statement.size)),
      /attestations are not kept: .*hashes to/,
    ],
    [
      "is too much",
      ({ image, attestation }) =>
        addIndex("broken/x", "v1", [
          image,
          { ...attestation, digest: `sha256:${"0".repeat(64)}`, size: 2 ** 40 },
        ]),
      /attestations are not kept: .*at most/,
    ],
    [
      "says another size than what is here has",
      async ({ image, attestation, layer }) => {
        await docker("pull", named("broken/x:one"));
        addIndex("broken/x", "v1", [image, { ...attestation, digest: layer, size: 10 }]);
      },
      /attestations are not kept: .*10 were announced/,
    ],
  ] satisfies [string, (published: Published) => unknown, RegExp][]) {
    test(`that ${when} is left out, which is said, and the image comes`, async () => {
      const before = await blobs();
      await damage(await publishOne("broken/x"));
      assert.match(await docker("pull", named("broken/x:v1")), words);
      assert.equal((await blobs()).length, before.length + 3, "manifest, configuration, layer");
      await docker("tag", named("broken/x:v1"), named("broken/back:v1"));
      await docker("push", named("broken/back:v1"));
      assert.deepEqual(has("broken/back", "v1"), has("broken/x", "one"));
      await docker("rmi", named("broken/x:v1"), named("broken/back:v1"));
    });
  }
});
