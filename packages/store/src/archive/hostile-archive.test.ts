import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault, type FaultKind, writeTar } from "@hawser/base";
import { mediaTypes } from "@hawser/oci";
import { openTestStore } from "../testing/open-test-store.ts";
import { configJson, dockerArchive, sha256 } from "../testing/test-images.ts";
import { v1Archive, v1Json } from "../testing/v1-images.ts";

async function refuses(archive: AsyncIterable<Uint8Array>, kind: FaultKind, says: RegExp): Promise<void> {
  await using test = await openTestStore({ maxExpandedBytes: 64 << 20, maxImages: 3, maxLayers: 20 });
  await assert.rejects(Array.fromAsync(test.store.maker.load(archive)), (error) => {
    assert.ok(error instanceof Fault, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, says);
    return true;
  });
  assert.deepEqual(await test.counts(), {}, "something was left behind");
  assert.deepEqual(test.store.images.list(), []);
}

const config = configJson([]);

function withManifest(manifest: unknown, files: Readonly<Record<string, string>> = {}) {
  const text = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
  return dockerArchive({ "c.json": config, "manifest.json": text, ...files });
}

describe("maker.load() refuses, and leaves nothing behind:", () => {
  test("what is no image archive", async () => {
    await refuses(
      dockerArchive({ "some/file": "x" }),
      "invalid-argument",
      /neither manifest.json nor index.json/,
    );
    await refuses(writeTar([]), "invalid-argument", /neither/);
    await refuses(chunks(Buffer.from("<html>not found</html>".repeat(100))), "data-loss", /checksum/);
  });

  test("file names that lead out, in the archive and in its manifest", async () => {
    await refuses(dockerArchive({ "../../etc/evil": "x" }), "invalid-argument", /leaves the folder/);
    for (const name of ["../../etc/passwd", "/etc/passwd", "nope"]) {
      await refuses(
        withManifest([{ Config: name, RepoTags: [], Layers: [] }]),
        "invalid-argument",
        /leaves the folder|no file/,
      );
      await refuses(
        withManifest([{ Config: "c.json", RepoTags: [], Layers: [name] }]),
        "invalid-argument",
        /leaves the folder|no file/,
      );
    }
  });

  test("names without tags, in the words of dockerd 28.5.2", async () => {
    for (const name of ["app", `app@sha256:${"a".repeat(64)}`]) {
      const manifest = [{ Config: "c.json", RepoTags: ["good:1", name], Layers: [] }];
      await refuses(withManifest(manifest), "invalid-argument", new RegExp(`^invalid tag "${name}"$`));
    }
  });

  test("links that lead out, go in circles or nowhere", async () => {
    const manifest = Buffer.from(JSON.stringify([{ Config: "link", RepoTags: [], Layers: [] }]));
    for (const [linkPath, says] of [
      ["/etc/passwd", /no file/],
      ["../../../etc/passwd", /leaves/],
      ["link", /no file/],
      ["other", /no file/],
    ] as const) {
      await refuses(
        writeTar([
          { path: "link", type: "symlink", linkPath },
          { path: "other", type: "symlink", linkPath: "link" },
          { path: "manifest.json", type: "file", content: manifest },
        ]),
        "invalid-argument",
        says,
      );
    }
  });

  test("a manifest that is not what it should be", async () => {
    await refuses(withManifest("{"), "invalid-argument", /not JSON/);
    await refuses(withManifest("\xff\xfe"), "invalid-argument", /JSON|UTF-8/);
    await refuses(withManifest({}), "invalid-argument", /not a list/);
    await refuses(withManifest([null]), "invalid-argument", /not an object/);
    await refuses(withManifest([{ Config: 5 }]), "invalid-argument", /"Config" is not text/);
    await refuses(withManifest([{ RepoTags: [] }]), "invalid-argument", /"Config" is missing/);
    await refuses(
      withManifest([{ Config: "c.json", RepoTags: ["Not A Name"], Layers: [] }]),
      "invalid-argument",
      /invalid reference format/,
    );
    await refuses(withManifest(`[{"Config":"c.json","Config":"d.json"}]`), "invalid-argument", /twice/);
    await refuses(withManifest("[".repeat(200) + "]".repeat(200)), "invalid-argument", /nested/);
    await refuses(
      withManifest(Array.from({ length: 4 }, () => ({ Config: "c.json", Layers: [] }))),
      "invalid-argument",
      /4 images/,
    );
  });

  test("a manifest or configuration too large to be one", async () => {
    await refuses(withManifest(" ".repeat((4 << 20) + 1)), "invalid-argument", /more than/);
    await refuses(
      withManifest([{ Config: "big", Layers: [] }], { big: " ".repeat((8 << 20) + 1) }),
      "invalid-argument",
      /more than/,
    );
  });

  test("configurations without layers' digests, or with others than the layers", async () => {
    const load = (text: string, layers: readonly string[] = []) =>
      withManifest([{ Config: "x", RepoTags: ["x:1"], Layers: layers }], { x: text, l1: "", l2: "" });
    await refuses(load(`{"architecture":"amd64","os":"linux"}`), "invalid-argument", /"rootfs" is missing/);
    await refuses(
      load(`{"architecture":"amd64","rootfs":{"type":"layers"}}`),
      "invalid-argument",
      /"diff_ids" is missing/,
    );
    await refuses(
      load(`{"architecture":"amd64","rootfs":{"type":"files","diff_ids":[]}}`),
      "invalid-argument",
      /layers/,
    );
    await refuses(load(configJson(["sha256:123"])), "invalid-argument", /digest/);
    await refuses(load(configJson([]), ["l1"]), "invalid-argument", /expected 0, got 1/);
    const ids = ["0", "1", "2"].map((digit) => `sha256:${digit.repeat(64)}`);
    await refuses(load(configJson(ids), ["l1", "l2"]), "invalid-argument", /expected 3, got 2/);
    await refuses(load("[]"), "invalid-argument", /not an object/);
    await refuses(load(configJson([], { created: "yesterday" })), "invalid-argument", /not a date/);
  });

  test("content that is not what its name says", async () => {
    const wrong = `${"0".repeat(64)}.json`;
    await refuses(
      withManifest([{ Config: wrong, Layers: [] }], { [wrong]: config }),
      "data-loss",
      /hashes to/,
    );
    const blob = `blobs/sha256/${"1".repeat(64)}`;
    await refuses(withManifest([{ Config: blob, Layers: [] }], { [blob]: config }), "data-loss", /hashes to/);
  });

  test("OCI layouts whose descriptors lie", async () => {
    const layout = (
      change: (parts: {
        manifest: Record<string, unknown>;
        config: Record<string, unknown>;
        index: Record<string, unknown>;
      }) => void,
    ) => {
      const parts = {
        config: {
          mediaType: mediaTypes.ociConfig,
          digest: `sha256:${sha256(config)}`,
          size: config.length,
        } as Record<string, unknown>,
        manifest: { schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [] } as Record<
          string,
          unknown
        >,
        index: {} as Record<string, unknown>,
      };
      change(parts);
      const manifest = JSON.stringify({ config: parts.config, ...parts.manifest });
      const entry = {
        mediaType: mediaTypes.ociManifest,
        digest: `sha256:${sha256(manifest)}`,
        size: manifest.length,
        ...parts.index,
      };
      return dockerArchive({
        "oci-layout": "{}",
        "index.json": JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
        [`blobs/sha256/${sha256(manifest)}`]: manifest,
        [`blobs/sha256/${sha256(config)}`]: config,
        [`blobs/sha256/${"2".repeat(64)}`]: "other",
      });
    };
    await refuses(
      layout(({ config: part }) => (part["size"] = 5)),
      "data-loss",
      /were announced/,
    );
    await refuses(
      layout(({ index }) => (index["size"] = 5)),
      "data-loss",
      /were announced/,
    );
    await refuses(
      layout(({ config: part }) => (part["size"] = -1)),
      "invalid-argument",
      /negative/,
    );
    await refuses(
      layout(({ index }) => (index["digest"] = `sha256:${"2".repeat(64)}`)),
      "data-loss",
      /hashes to/,
    );
    await refuses(
      layout(({ index }) => (index["digest"] = `sha256:${"3".repeat(64)}`)),
      "invalid-argument",
      /no file/,
    );
    await refuses(
      layout(({ index }) => (index["digest"] = "sha256:../../etc/passwd")),
      "invalid-argument",
      /digest/,
    );
    await refuses(
      layout(({ manifest }) => (manifest["manifests"] = [])),
      "invalid-argument",
      /at once/,
    );
    await refuses(
      layout(({ manifest }) => (manifest["schemaVersion"] = 1)),
      "invalid-argument",
      /schemaVersion/,
    );
    await refuses(
      layout(({ index }) => (index["mediaType"] = mediaTypes.ociIndex)),
      "invalid-argument",
      /not an index|has/,
    );
    await refuses(
      layout(({ index }) => (index["annotations"] = { "io.containerd.image.name": "A B" })),
      "invalid-argument",
      /reference/,
    );
  });

  test("archives from before Docker 1.10 that contradict themselves", async () => {
    const chain = (length: number, last?: string) =>
      Object.fromEntries(
        Array.from({ length }, (_, index) => [
          `i${index}`,
          { json: v1Json({ parent: index + 1 < length ? `i${index + 1}` : last }) },
        ]),
      );
    const image = { json: v1Json({}) };
    for (const [archive, says] of [
      [v1Archive(chain(1, "i0")), /made of itself/],
      [v1Archive(chain(3, "i1"), { x: { y: "i0" } }), /"i1" is made of itself/],
      [v1Archive(chain(30, "i0")), /made of itself/],
      [v1Archive(chain(30)), /more than 20 layers/],
      [v1Archive(chain(1, "gone")), /no file "gone\/json"/],
      [v1Archive(chain(1, "../../etc")), /leaves the folder/],
      [v1Archive({ a: image, b: image, c: image, d: image }), /it has 4 images/],
      [v1Archive({ a: image }, { x: { y: "b" } }), /invalid target ID: b/],
      [v1Archive({ a: image }, { UPPER: { y: "a" } }), /must be lowercase/],
      [v1Archive({ a: image }, { x: { "b ad": "a" } }), /invalid reference format/],
      [v1Archive({ a: image }, { x: { [`y@sha256:${"0".repeat(64)}`]: "a" } }), /invalid tag format/],
      [v1Archive({ a: image }, []), /not an object/],
      [v1Archive({ a: image }, { x: { y: 5 } }), /"x" is not an object of text/],
      [v1Archive({ a: { json: v1Json({ os: "windows" }) } }), /cannot load windows image on linux/],
      [v1Archive({ a: { json: " ".repeat((8 << 20) + 1) } }), /more than/],
      [dockerArchive({ repositories: "{}", "a/json": v1Json({}) }), /no file "a\/layer.tar"/],
      [dockerArchive({ repositories: "{}", "a/layer.tar": "" }), /no file "a\/json"/],
    ] as const)
      await refuses(archive, "invalid-argument", says);
  });

  test("an archive from before Docker 1.10 with configurations without end", async () => {
    const json = v1Json({ author: "x".repeat(7 << 20) });
    const images = Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`i${index}`, { json }]));
    await refuses(v1Archive(images), "invalid-argument", /the configurations: it has more than/);
  });

  test("an archive that expands without end", async () => {
    await refuses(
      writeTar([{ path: "z", type: "file", content: Buffer.alloc(65 << 20) }]),
      "invalid-argument",
      /expands/,
    );
  });

  test("an archive that ends early, or whose sender fails", async () => {
    const whole = Buffer.concat(await Array.fromAsync(withManifest([{ Config: "c.json", Layers: [] }])));
    await refuses(chunks(whole.subarray(0, 520)), "data-loss", /ends inside/);
    async function* failing() {
      yield whole.subarray(0, 600);
      throw new Error("connection reset");
    }
    await using test = await openTestStore();
    await assert.rejects(Array.fromAsync(test.store.maker.load(failing())), /connection reset/);
    assert.deepEqual(await test.counts(), {});
  });
});

async function* chunks(...data: readonly Uint8Array[]) {
  yield* data;
}
