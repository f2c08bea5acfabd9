import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { gzipSync } from "node:zlib";
import { Fault, readTar, writeTar } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { digestOf, mediaTypes, parseReference } from "@hawser/oci";
import { openTestStore, type TestStore } from "../testing/open-test-store.ts";
import { configJson, dockerArchive, loadImage, sha256, tarOf, testImage } from "../testing/test-images.ts";
import { file } from "../testing/unpack.ts";

const execution = testImage("x", "x").config.execution;

async function save(from: TestStore, ...names: string[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(from.store.images.save(names).archive));
}

async function* once(...data: readonly Uint8Array[]) {
  yield* data;
}

async function textOf(archive: Buffer, name: string): Promise<unknown> {
  for await (const { entry, data } of readTar(once(archive))) {
    if (entry.path.toString() === name)
      return JSON.parse(Buffer.concat(await Array.fromAsync(data)).toString());
  }
  return undefined;
}

describe("save", () => {
  test("gives images that load as the same, several in one archive, shared layers once", async () => {
    await using from = await openTestStore();
    const shared = [file("shared", "s".repeat(1000))];
    await loadImage(from.store, testImage("one:1", "a", [shared, [file("a")]]));
    await loadImage(from.store, testImage("two:2", "b", [shared, [file("b")]]));
    from.store.images.tag("one:1", "also:1");
    const archive = await save(from, "one:1", "also:1", "two:2");
    const paths: string[] = [];
    for await (const { entry } of readTar(once(archive))) paths.push(entry.path.toString());
    assert.equal(new Set(paths).size, paths.length);
    assert.equal(
      paths.filter((path) => path.startsWith("blobs/sha256/") && !path.endsWith("/")).length,
      3 + 2 + 2,
    );

    await using to = await openTestStore();
    await Array.fromAsync(to.store.maker.load(once(archive)));
    for (const name of ["one:1", "also:1", "two:2"]) {
      const [before, after] = [from, to].map(({ store }) => store.images.resolve(name));
      assert.deepEqual([after?.id, after?.manifestDigest], [before?.id, before?.manifestDigest]);
    }
    assert.deepEqual(await save(to, "one:1", "also:1", "two:2"), archive);
  });

  test("takes all tags of a repository, and no name for an id", async () => {
    await using from = await openTestStore();
    await loadImage(from.store, testImage("repo:1", "a"));
    await loadImage(from.store, testImage("repo:2", "b"));
    const tags = async (name: string) =>
      ((await textOf(await save(from, name), "manifest.json")) as { RepoTags: unknown }[]).map(
        ({ RepoTags }) => RepoTags,
      );
    assert.deepEqual(await tags("repo"), [["repo:1"], ["repo:2"]]);
    assert.deepEqual(await tags(from.store.images.resolve("repo:2").id), [null]);
    assert.deepEqual(await textOf(await save(from, "repo:1"), "repositories"), {
      repo: { "1": from.store.images.resolve("repo:1").id.slice(7) },
    });
    assert.throws(
      () => from.store.images.save(["missing"]),
      (error) => Fault.is(error, "not-found"),
    );
  });

  test("gives the index that a name has besides, with all that it names", async () => {
    await using from = await openTestStore();
    const { images, content } = from.store;
    await loadImage(from.store, testImage("one:1", "a"));
    const { id } = images.resolve("one:1");
    const before = await content.list();
    const own = await images.distribute(id, async ({ manifest, config, layers }) => ({
      manifest,
      config,
      layers,
    }));
    const said = Buffer.from('{"said":true}');
    const descriptor = (mediaType: string, bytes: Uint8Array) => ({
      mediaType,
      digest: digestOf(bytes),
      size: bytes.length,
    });
    const about = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: descriptor(mediaTypes.ociConfig, Buffer.from("{}")),
        layers: [descriptor("application/vnd.in-toto+json", said)],
      }),
    );
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [
          descriptor(own.manifest.mediaType, own.manifest.bytes),
          descriptor(mediaTypes.ociManifest, about),
        ],
      }),
    );
    const blobs = [said, Buffer.from("{}"), about, index].map((bytes) => ({
      digest: digestOf(bytes),
      open: () => once(bytes),
    }));
    await images.attest(id, { digest: digestOf(index), blobs }, ["one:1"]);
    await from.reopen();
    const reopened = from.store.images;
    reopened.tag("one:1", "also:1");
    reopened.tag(id, "plain:1");
    const archive = await save(from, "one:1", "also:1", "plain:1");
    const { manifests } = (await textOf(archive, "index.json")) as { manifests: { digest: string }[] };
    assert.deepEqual(
      manifests.map(({ digest }) => digest),
      [digestOf(index), digestOf(index), own.manifest.digest],
    );
    for (const { digest } of blobs) {
      assert.notEqual(await textOf(archive, `blobs/sha256/${digest.slice(7)}`), undefined);
    }
    // The image alone, for whoever reads only those.
    await using to = await openTestStore();
    await Array.fromAsync(to.store.maker.load(once(archive)));
    assert.equal(to.store.images.resolve("one:1").manifestDigest, own.manifest.digest);

    reopened.tag("plain:1", "one:1");
    assert.equal(reopened.tagsOf(parseReference("one"))[0]?.attested, undefined);
    for (const name of ["one:1", "also:1", "plain:1"])
      await reopened.remove(name, { isUsed: () => undefined });
    const left = await from.store.content.list();
    assert.deepEqual(
      left.filter((digest) => !before.includes(digest)),
      [],
    );
  });

  test("keeps a compressed layer of an image without a manifest, and says so", async () => {
    await using from = await openTestStore();
    const layer = await tarOf([file("f", "content")]);
    const config = configJson([`sha256:${sha256(layer)}`]);
    const manifest = JSON.stringify([{ Config: "c.json", RepoTags: ["old:1"], Layers: ["l.tar.gz"] }]);
    const old = dockerArchive({ "c.json": config, "l.tar.gz": gzipSync(layer), "manifest.json": manifest });
    await Array.fromAsync(from.store.maker.load(old));
    const archive = await save(from, "old:1");
    await using to = await openTestStore();
    await Array.fromAsync(to.store.maker.load(once(archive)));
    assert.equal(to.store.images.resolve("old:1").id, `sha256:${sha256(config)}`);
  });
});

describe("commit", () => {
  const options = { execution, author: "me", message: "why", createdBy: "sh" };

  test("puts a layer on top of an image, which the new image keeps", async () => {
    await using at = await openTestStore();
    await loadImage(at.store, testImage("base:1", "a", [[file("below")]]));
    const base = at.store.images.resolve("base:1");
    const layer = writeTar([file("above", "12345"), file(".wh.below")]);
    const image = await at.store.maker.commit(layer, { ...options, parent: base.id, reference: "new" });
    assert.deepEqual(image.names, ["new:latest"]);
    assert.deepEqual(image.diffIds.slice(0, -1), base.diffIds);
    assert.equal(image.layers.at(-1)?.sizeBytes, 5);
    assert.deepEqual(image.config.history.at(-1)?.createdBy, "sh");
    await at.store.images.remove("base:1", { force: true, isUsed: () => undefined });
    const again = await at.reopen();
    assert.equal(again.images.resolve("new").id, image.id);
    await again.images.remove("new", { force: false, isUsed: () => undefined });
  });

  test("of nothing makes no layer", async () => {
    await using at = await openTestStore();
    await loadImage(at.store, testImage("base:1", "a", [[file("below")]]));
    const base = at.store.images.resolve("base:1");
    const image = await at.store.maker.commit(writeTar([]), { ...options, parent: base.id });
    assert.deepEqual(image.diffIds, base.diffIds);
    assert.equal(image.config.history.at(-1)?.emptyLayer, true);
  });

  test("that breaks off leaves nothing behind", async () => {
    await using at = await openTestStore();
    await loadImage(at.store, testImage("base:1", "a", [[file("below")]]));
    const before = await at.counts();
    const broken = async function* () {
      yield Buffer.alloc(100);
      throw new Error("gone");
    };
    const parent = at.store.images.resolve("base:1").id;
    await assert.rejects(at.store.maker.commit(broken(), { ...options, parent }), { message: "gone" });
    await assert.rejects(at.store.maker.commit(once(Buffer.alloc(700, 1)), { ...options, parent }));
    // What is thrown away is removed after the answer.
    await eventually(async () => isDeepStrictEqual(await at.counts(), before), { what: "nothing is left" });
  });
});
