import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Fault, type FaultKind, writeTar } from "@hawser/base";
import { mediaTypes, shortId } from "@hawser/oci";
import { writeImageArchive } from "../archive/write-image-archive.ts";
import type { Store } from "../store.ts";
import { openTestStore } from "../testing/open-test-store.ts";
import { configJson, dockerArchive, loadImage, sha256, testImage } from "../testing/test-images.ts";
import type { ImageUse } from "./remove-image.ts";

const unused = { isUsed: () => undefined };

function message(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
  return "no fault";
}

describe("images.resolve()", () => {
  test("finds an image by every name and id that Docker takes", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    await loadImage(test.store, testImage("busybox", "1"));
    images.tag("busybox", "example.org:5000/team/app:v1");
    const { id } = images.resolve("busybox");
    const hex = id.slice(7);
    for (const name of [
      "busybox",
      "busybox:latest",
      "library/busybox",
      "docker.io/library/busybox:latest",
      "index.docker.io/busybox",
      "example.org:5000/team/app:v1",
      id,
      hex,
      shortId(id),
      hex.slice(0, 4),
      `sha256:${hex.slice(0, 10)}`,
    ]) {
      assert.equal(images.resolve(name).id, id, name);
    }
    assert.deepEqual(images.resolve(id).names, ["busybox:latest", "example.org:5000/team/app:v1"]);
  });

  test("says what Docker says when there is none", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    const zeros = "0".repeat(64);
    assert.equal(
      message(() => images.resolve("nope")),
      "No such image: nope:latest",
    );
    assert.equal(
      message(() => images.resolve("docker.io/library/nope:1")),
      "No such image: nope:1",
    );
    assert.equal(
      message(() => images.resolve(zeros)),
      `No such image: sha256:${zeros}`,
    );
    assert.equal(
      message(() => images.resolve(`nope@sha256:${zeros}`)),
      `No such image: nope@sha256:${zeros}`,
    );
    assert.equal(
      message(() => images.resolve("a b")),
      "invalid reference format",
    );
  });

  test("takes a name before the beginning of an id, and refuses a beginning of two ids", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    const ids: string[] = [];
    for (let label = 0; label < 40; label++) {
      await loadImage(test.store, testImage(`i${label}`, `${label}`));
      ids.push(images.resolve(`i${label}`).id.slice(7));
    }
    const first = ids.find((id) => ids.some((other) => other !== id && other[0] === id[0])) ?? "";
    assert.equal(
      message(() => images.resolve(first.slice(0, 1))),
      `No such image: ${first.slice(0, 1)}:latest`,
    );
    const other = ids.find((id) => id !== first) ?? "";
    images.tag(other, first.slice(0, 12));
    assert.equal(images.resolve(first.slice(0, 12)).id, `sha256:${other}`);
  });
});

describe("images.tag()", () => {
  test("moves a name from one image to another, for good", async () => {
    await using test = await openTestStore();
    await loadImage(test.store, testImage("a", "a"));
    await loadImage(test.store, testImage("b", "b"));
    const b = test.store.images.resolve("b").id;
    test.store.images.tag("b", "a");
    const { images } = await test.reopen();
    assert.equal(images.resolve("a").id, b);
    assert.deepEqual(
      images
        .list()
        .flatMap(({ names }) => names)
        .toSorted((a, b) => (a < b ? -1 : 1)),
      ["a:latest", "b:latest"],
    );
  });

  test("refuses digests, and sha256 as a name", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    await loadImage(test.store, testImage("a", "a"));
    assert.equal(
      message(() => images.tag("a", `x@sha256:${"0".repeat(64)}`)),
      "refusing to create a tag with a digest reference",
    );
    assert.equal(
      message(() => images.tag("a", "sha256:abc")),
      "refusing to create an ambiguous tag using digest algorithm as name",
    );
    assert.equal(
      message(() => images.tag("nope", "x")),
      "No such image: nope:latest",
    );
  });
});

describe("images.remove()", () => {
  async function two(store: Store) {
    await loadImage(store, testImage("one", "1"));
    store.images.tag("one", "two");
    return store.images.resolve("one").id;
  }
  const use = (running: boolean) => ({ isUsed: (): ImageUse => ({ container: "c".repeat(64), running }) });
  const fault = (kind: FaultKind, text: string) => (error: unknown) => {
    assert.ok(Fault.is(error, kind), String(error));
    assert.equal(error.message, text);
    return true;
  };

  test("takes one name, then with the last one the image", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    const id = await two(test.store);
    assert.deepEqual(await images.remove("one", unused), [{ untagged: "one:latest" }]);
    assert.deepEqual(await images.remove("two", unused), [{ untagged: "two:latest" }, { deleted: id }]);
    assert.deepEqual(images.list(), []);
    assert.deepEqual(await test.counts(), {});
    assert.deepEqual((await test.reopen()).images.list(), []);
  });

  test("by id wants force when several names refer to it", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    const id = await two(test.store);
    await assert.rejects(
      images.remove(id, unused),
      fault(
        "conflict",
        `conflict: unable to delete ${shortId(id)} (must be forced) - image is referenced in multiple repositories`,
      ),
    );
    assert.deepEqual(await images.remove(shortId(id), { ...unused, force: true }), [
      { untagged: "one:latest" },
      { untagged: "two:latest" },
      { deleted: id },
    ]);
  });

  test("by its only name is refused while a container uses it, and forced only takes the name of a running one", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    await loadImage(test.store, testImage("one", "1"));
    const { id } = images.resolve("one");
    const text = `conflict: unable to remove repository reference "one" (must force) - container cccccccccccc is using its referenced image ${shortId(id)}`;
    for (const running of [true, false])
      await assert.rejects(images.remove("one", use(running)), fault("conflict", text));
    assert.deepEqual(await images.remove("one", { ...use(true), force: true }), [{ untagged: "one:latest" }]);
    assert.deepEqual(images.resolve(id).names, []);
    await assert.rejects(
      images.remove(id, { ...use(true), force: true }),
      fault(
        "conflict",
        `conflict: unable to delete ${shortId(id)} (cannot be forced) - image is being used by running container cccccccccccc`,
      ),
    );
    await assert.rejects(
      images.remove(id, use(false)),
      fault(
        "conflict",
        `conflict: unable to delete ${shortId(id)} (must be forced) - image is being used by stopped container cccccccccccc`,
      ),
    );
    assert.deepEqual(await images.remove(id, { ...use(false), force: true }), [{ deleted: id }]);
  });

  test("of what is not there is not found", async () => {
    await using test = await openTestStore();
    await assert.rejects(test.store.images.remove("x:y", unused), fault("not-found", "No such image: x:y"));
  });
});

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
        { Config: "one.json", RepoTags: ["a:latest", "b"], Layers: [] },
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
            content: Buffer.from(JSON.stringify([{ Config: "config", RepoTags: ["x"], Layers: [] }])),
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
