import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { writeTar } from "@hawser/base";
import { mediaTypes } from "@hawser/oci";
import { writeImageArchive } from "../archive/write-image-archive.ts";
import { openTestStore } from "../testing/open-test-store.ts";
import { configJson, dockerArchive, loadImage, sha256, testImage } from "../testing/test-images.ts";

describe("maker.load()", () => {
  test("takes what writeImageArchive() makes, plain or compressed, and keeps the configuration byte for byte", async () => {
    await using test = await openTestStore();
    const archive = Buffer.concat(await Array.fromAsync(writeImageArchive(testImage("app:v2", "x"))));
    for (const data of [archive, gzipSync(archive)]) {
      const events = await Array.fromAsync(test.store.maker.load(one(data)));
      const { id } = test.store.images.resolve("app:v2");
      assert.deepEqual(events, [{ kind: "loaded", reference: "app:v2", id }]);
      assert.equal(`sha256:${sha256(await test.store.content.read(id))}`, id);
    }
    const image = test.store.images.resolve("app:v2");
    assert.deepEqual(image.config.execution.labels, { label: "x" });
    assert.equal(image.createdAt.toISOString(), "2025-01-01T00:00:00.000Z");
    assert.ok(image.manifestDigest);
  });

  test("writes the same archive for the same image", async () => {
    const make = async () =>
      Buffer.concat(
        await Array.fromAsync(
          writeImageArchive(
            testImage("app", "x", [[{ path: "f", type: "file", content: Buffer.from("x") }]]),
          ),
        ),
      );
    assert.deepEqual(await make(), await make());
  });

  test("takes several images from one archive, without names too, and says when a name changes hands", async () => {
    await using test = await openTestStore();
    await loadImage(test.store, testImage("a", "old"));
    const previousId = test.store.images.resolve("a").id;
    const [first, second] = [configJson([]), configJson([], { author: "second" })];
    const archive = dockerArchive({
      "one.json": first,
      "two.json": second,
      "manifest.json": JSON.stringify([
        { Config: "one.json", RepoTags: ["a:latest", "b:latest"], Layers: [] },
        { Config: "two.json", RepoTags: null, Layers: null },
      ]),
    });
    const [one, two] = [`sha256:${sha256(first)}`, `sha256:${sha256(second)}`];
    assert.deepEqual(await Array.fromAsync(test.store.maker.load(archive)), [
      { kind: "renamed", reference: "a:latest", previousId },
      { kind: "loaded", reference: "a:latest", id: one },
      { kind: "loaded", reference: "b:latest", id: one },
      { kind: "loaded", id: two },
    ]);
    assert.deepEqual(test.store.images.resolve(previousId).names, []);
    assert.equal(test.store.images.resolve(two).config.author, "second");
  });

  test("finds fields of manifest.json in any case, the last of several, as dockerd 28.5.2 does", async () => {
    await using test = await openTestStore();
    const config = configJson([]);
    const manifest = '[{"config":"c.json","RepoTags":["first:1"],"repotags":["second:1"],"LAYERS":[]}]';
    const archive = dockerArchive({ "c.json": config, "manifest.json": manifest });
    const id = `sha256:${sha256(config)}`;
    assert.deepEqual(await Array.fromAsync(test.store.maker.load(archive)), [
      { kind: "loaded", reference: "second:1", id },
    ]);
  });

  test("chooses the machine's image from an index, and leaves attestations out", async () => {
    await using test = await openTestStore();
    const blobs: Record<string, string> = {};
    const add = (text: string) => {
      blobs[`blobs/sha256/${sha256(text)}`] = text;
      return { digest: `sha256:${sha256(text)}`, size: text.length };
    };
    const manifestOf = (architecture: string) =>
      add(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: { mediaType: mediaTypes.ociConfig, ...add(configJson([], { architecture })) },
          layers: [],
        }),
      );
    const index = add(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [
          {
            mediaType: mediaTypes.ociManifest,
            ...manifestOf("arm64"),
            platform: { os: "linux", architecture: "arm64" },
          },
          {
            mediaType: mediaTypes.ociManifest,
            ...manifestOf("amd64"),
            platform: { os: "linux", architecture: "amd64" },
          },
          {
            mediaType: mediaTypes.ociManifest,
            ...manifestOf("unknown"),
            platform: { os: "unknown", architecture: "unknown" },
          },
        ],
      }),
    );
    const archive = () =>
      dockerArchive({
        "oci-layout": `{"imageLayoutVersion":"1.0.0"}`,
        "index.json": JSON.stringify({
          schemaVersion: 2,
          manifests: [
            {
              mediaType: mediaTypes.ociIndex,
              ...index,
              annotations: { "org.opencontainers.image.ref.name": "example.org/app:v1" },
            },
          ],
        }),
        ...blobs,
      });
    await Array.fromAsync(test.store.maker.load(archive()));
    assert.equal(test.store.images.resolve("example.org/app:v1").config.architecture, "amd64");
    await Array.fromAsync(
      test.store.maker.load(archive(), { platform: { os: "linux", architecture: "arm64", variant: "v8" } }),
    );
    assert.equal(test.store.images.resolve("example.org/app:v1").config.architecture, "arm64");
    await assert.rejects(
      Array.fromAsync(test.store.maker.load(archive(), { platform: { os: "linux", architecture: "s390x" } })),
      /no image for linux\/s390x/,
    );
  });

  test("follows links inside of the archive, as old versions of Docker made them", async () => {
    await using test = await openTestStore();
    const config = configJson([]);
    await Array.fromAsync(
      test.store.maker.load(
        writeTar([
          { path: "real/config", type: "file", content: Buffer.from(config) },
          { path: "a/config", type: "symlink", linkPath: "../real/config" },
          { path: "config", type: "hardlink", linkPath: "a/config" },
          {
            path: "manifest.json",
            type: "file",
            content: Buffer.from(JSON.stringify([{ Config: "config", RepoTags: ["x:latest"], Layers: [] }])),
          },
        ]),
      ),
    );
    assert.equal(test.store.images.resolve("x").id, `sha256:${sha256(config)}`);
  });

  test("stops when it is cancelled", async () => {
    await using test = await openTestStore();
    const controller = new AbortController();
    const reason = new Error("client left");
    async function* endless() {
      yield* dockerArchive({ a: "x" });
      controller.abort(reason);
      yield Buffer.alloc(1 << 16);
    }
    async function* half() {
      for await (const chunk of endless()) yield chunk.subarray(0, 700);
    }
    await assert.rejects(Array.fromAsync(test.store.maker.load(half(), { signal: controller.signal })));
    assert.deepEqual(await test.counts(), {});
  });
});

async function* one(data: Uint8Array) {
  yield data;
}
