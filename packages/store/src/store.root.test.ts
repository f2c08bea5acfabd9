import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Fault, type FaultKind, silentLogger, writeTar } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { chainIdOf, parseDigest } from "@hawser/oci";
import type { OverlayMount } from "./snapshots/snapshotter.ts";
import { Store } from "./store.ts";
import { openTestStore } from "./testing/open-test-store.ts";
import { configJson, dockerArchive, loadImage, sha256, tarOf, testImage } from "./testing/test-images.ts";
import { file, folder } from "./testing/unpack.ts";

const base = [
  folder("etc", { mode: 0o750, uid: 5, mtimeNs: 7_000_000_000n }),
  file("etc/a", "base a"),
  file("etc/b", "base b"),
  folder("d"),
  file("d/x", "x"),
];
const top = [
  file("etc/a", "top a"),
  file("etc/.wh.b"),
  folder("d"),
  file("d/.wh..wh..opq"),
  file("d/y", "y"),
];
const unused = { isUsed: () => undefined };

/** What a container would see. */
function withMount<T>(mount: OverlayMount, look: (root: string) => T): T {
  const target = `${mount.upper}-merged`;
  mkdirSync(target);
  const options = `lowerdir=${mount.lower.join(":")},upperdir=${mount.upper},workdir=${mount.work}`;
  execFileSync("mount", ["-t", "overlay", "overlay", "-o", options, target]);
  try {
    return look(target);
  } finally {
    execFileSync("umount", [target]);
    rmSync(target, { recursive: true });
  }
}

function isFault(kind: FaultKind, says: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof Fault, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, says);
    return true;
  };
}

describe("Store", () => {
  test("shows a container the layers of its image, and keeps its changes to itself", async () => {
    await using test = await openTestStore();
    const { images, snapshots } = test.store;
    await loadImage(test.store, testImage("app", "1", [base, top]));
    const { chainId, layers, sizeBytes } = images.resolve("app");
    assert.equal(layers.length, 2);
    assert.equal(sizeBytes, "base abase bxtop ay".length);
    const [one, two] = [await snapshots.prepare("one", chainId), await snapshots.prepare("two", chainId)];
    withMount(one, (root) => {
      assert.equal(readFileSync(join(root, "etc/a"), "utf8"), "top a");
      assert.deepEqual(readdirSync(join(root, "etc")), ["a"]);
      assert.deepEqual(readdirSync(join(root, "d")), ["y"]);
      rmSync(join(root, "etc"), { recursive: true });
      writeFileSync(join(root, "new"), "");
    });
    withMount(two, (root) => {
      assert.deepEqual(readdirSync(root).toSorted(), ["d", "etc"]);
      const etc = lstatSync(join(root, "etc"));
      assert.deepEqual(
        { mode: etc.mode & 0o777, uid: etc.uid, mtimeMs: etc.mtimeMs },
        { mode: 0o750, uid: 5, mtimeMs: 7000 },
      );
    });
    assert.deepEqual((await test.reopen()).snapshots.get("one"), one);
  });

  test("gives a container without image an empty root", async () => {
    await using test = await openTestStore();
    withMount(await test.store.snapshots.prepare("empty"), (root) => assert.deepEqual(readdirSync(root), []));
  });

  test("unpacks a layer once for many images, and keeps it until the last goes", async () => {
    await using test = await openTestStore();
    const { images, snapshots } = test.store;
    await Promise.all(
      ["a", "b", "c"].map((name) => loadImage(test.store, testImage(name, name, [base, top]))),
    );
    assert.equal((await test.counts())["layers"], 2);
    const chainId = images.resolve("a").chainId;
    await snapshots.prepare("c1", chainId);
    for (const name of ["a", "b"]) assert.equal((await images.remove(name, unused)).length, 2);
    const last = await images.remove("c", unused);
    assert.equal(last.length, 2, "the snapshot keeps the layers");
    assert.equal((await test.counts())["layers"], 2);
    await snapshots.remove("c1");
    await snapshots.remove("c1");
    await eventually(async () => Object.keys(await test.counts()).length === 0);
  });

  test("stacks layers in another order without a copy, for as long as somebody needs one of them", async () => {
    await using test = await openTestStore();
    const { images, snapshots } = test.store;
    await loadImage(test.store, testImage("a", "a", [base, top]));
    await loadImage(test.store, testImage("b", "b", [[file("b", "b"), folder("d"), file("d/z", "z")]]));
    const [a, b] = ["a", "b"].map((name) => images.resolve(name).layers.map(({ chainId }) => chainId));
    assert.ok(a !== undefined && b !== undefined);
    using held = snapshots.stackLayers([...a, ...b, ...a.slice(1)]);
    assert.ok(held !== undefined);
    assert.deepEqual(
      images.layers.chain(held.layer.chainId).map(({ diffId }) => diffId),
      [a[0], b[0], images.resolve("a").layers[1]?.diffId],
    );
    assert.equal((await test.counts())["layers"], 3);
    assert.equal(snapshots.stackLayers([]), undefined);
    await snapshots.prepare("k", held.layer.chainId);
    for (const name of ["a", "b"]) await images.remove(name, unused);
    const shows = (mount: OverlayMount) =>
      withMount(mount, (root) => {
        assert.deepEqual(readdirSync(root).toSorted(), ["b", "d", "etc"]);
        assert.deepEqual(readdirSync(join(root, "d")), ["y"], "the upper one hides what is in the folder");
        assert.equal(readFileSync(join(root, "etc/a"), "utf8"), "top a");
      });
    shows(snapshots.get("k"));
    held[Symbol.dispose]();
    const store = await test.reopen();
    shows(store.snapshots.get("k"));
    await store.snapshots.remove("k");
    await eventually(async () => Object.keys(await test.counts()).length === 0);
  });

  test("tells the layers that go with an image, topmost first", async () => {
    await using test = await openTestStore();
    const { images } = test.store;
    await loadImage(test.store, testImage("a", "a", [base, top]));
    const { id, layers } = images.resolve("a");
    assert.deepEqual(await images.remove("a", unused), [
      { untagged: "a:latest" },
      { deleted: id },
      ...layers.toReversed().map((layer) => ({ deleted: layer.chainId })),
    ]);
  });

  test("refuses a layer that is not what the configuration says, and keeps nothing of the image", async () => {
    await using test = await openTestStore();
    const good = await tarOf(base);
    const bad = await tarOf(top);
    const archive = (layer: Uint8Array, diffIds: readonly string[]) =>
      dockerArchive({
        c: configJson(diffIds.map((id) => `sha256:${id}`)),
        l: good,
        m: layer,
        "manifest.json": JSON.stringify([{ Config: "c", RepoTags: ["x:latest"], Layers: ["l", "m"] }]),
      });
    const load = (layer: Uint8Array, ...diffIds: string[]) =>
      Array.fromAsync(test.store.maker.load(archive(layer, diffIds)));
    await assert.rejects(load(bad, sha256(good), "0".repeat(64)), isFault("data-loss", /hashes to/));
    await assert.rejects(load(bad, sha256(bad), sha256(good)), isFault("data-loss", /hashes to/));
    await assert.rejects(
      load(await tarOf([file("../x")]), sha256(good), sha256(await tarOf([file("../x")]))),
      isFault("invalid-argument", /leaves the folder/),
    );
    await eventually(async () => Object.keys(await test.counts()).length === 0);
    await load(gzipSync(bad), sha256(good), sha256(bad));
    // The layers are there now, and still nobody may pass off something else as one.
    await assert.rejects(
      load(gzipSync(await tarOf([file("evil")])), sha256(good), sha256(bad)),
      isFault("data-loss", /hashes to/),
    );
    assert.equal(test.store.images.resolve("x").layers.length, 2);
  });

  test("gives folders that a layer leaves out the looks of those below", async () => {
    await using test = await openTestStore();
    await loadImage(test.store, testImage("app", "1", [base, [file("etc/c"), file("other/f")]]));
    const mount = await test.store.snapshots.prepare("k", test.store.images.resolve("app").chainId);
    withMount(mount, (root) => {
      const etc = lstatSync(join(root, "etc"));
      assert.deepEqual(
        { mode: etc.mode & 0o777, uid: etc.uid, mtimeMs: etc.mtimeMs },
        { mode: 0o750, uid: 5, mtimeMs: 7000 },
      );
      assert.equal(lstatSync(join(root, "other")).mode & 0o777, 0o755);
    });
  });

  test("imports a root file system", async () => {
    await using test = await openTestStore();
    const archive = gzipSync(await tarOf(base));
    async function* stream() {
      yield archive;
    }
    const image = await test.store.maker.import(stream(), {
      reference: "debian:13",
      message: "by hand",
      changes: { cmd: ["bash"], env: ["A=b"] },
    });
    assert.deepEqual(image.names, ["debian:13"]);
    assert.deepEqual(image.config.execution.cmd, ["bash"]);
    assert.equal(image.config.history[0]?.comment, "by hand");
    assert.equal(`sha256:${sha256(await test.store.content.read(image.id))}`, image.id);
    const again = await (await test.reopen()).maker.import(stream(), {
      changes: { cmd: ["bash"], env: ["A=b"] },
      message: "by hand",
    });
    assert.equal(again.id, image.id);
    assert.deepEqual(again.names, ["debian:13"]);
    async function* hostile() {
      yield gzipSync(await tarOf([file("../../x")]));
    }
    await assert.rejects(test.store.maker.import(hostile()), isFault("invalid-argument", /leaves/));
    await test.store.images.remove("debian:13", unused);
    await eventually(async () => Object.keys(await test.counts()).length === 0);
  });

  test("reports how far the layers are", async () => {
    await using test = await openTestStore();
    const layer = await tarOf([{ path: "f", type: "file", content: Buffer.alloc(9 << 20, "x") }]);
    const diffId = `sha256:${sha256(layer)}`;
    const archive = () =>
      dockerArchive({
        c: configJson([diffId]),
        l: layer,
        "manifest.json": JSON.stringify([{ Config: "c", Layers: ["l"] }]),
      });
    const seen: number[] = [];
    const onProgress = (progress: {
      readonly diffId: string;
      readonly currentBytes: number;
      readonly totalBytes: number;
    }) => {
      assert.deepEqual([progress.diffId, progress.totalBytes], [diffId, layer.length]);
      seen.push(progress.currentBytes);
    };
    await Array.fromAsync(test.store.maker.load(archive(), { onProgress }));
    assert.deepEqual(seen, [4 << 20, 8 << 20, layer.length]);
    await Array.fromAsync(test.store.maker.load(archive(), { onProgress }));
    assert.equal(seen.length, 3, "what is there is not loaded");
  });

  test("keeps nothing of a layer that cannot be recorded", async () => {
    await using test = await openTestStore();
    using other = new DatabaseSync(join(test.root, "store.db"));
    other.exec(
      "CREATE TRIGGER full BEFORE INSERT ON layers BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
    );
    const archive = () => writeTar([file("a", "text")]);
    await assert.rejects(test.store.images.layers.add(archive(), {}), /disk is full/);
    await eventually(async () => Object.keys(await test.counts()).length === 0);
    other.exec("DROP TRIGGER full");
    using held = await test.store.images.layers.add(archive(), {});
    assert.equal(held?.layer.sizeBytes, 4);
  });

  test("refuses keys that are taken and layers that it does not have", async () => {
    await using test = await openTestStore();
    const { snapshots } = test.store;
    await snapshots.prepare("k");
    await assert.rejects(snapshots.prepare("k"), isFault("already-exists", /taken/));
    const none = chainIdOf(parseDigest(`sha256:${"0".repeat(64)}`), undefined);
    await assert.rejects(snapshots.prepare("l", none), isFault("not-found", /No such layer/));
    assert.throws(() => snapshots.get("l"), isFault("not-found", /No such snapshot/));
    assert.deepEqual(snapshots.list(), ["k"]);
  });
});

describe("a store that was killed", () => {
  test("throws away what was on its way, and what no row knows", async () => {
    await using test = await openTestStore();
    await loadImage(test.store, testImage("app", "1", [base]));
    const mount = await test.store.snapshots.prepare("k", test.store.images.resolve("app").chainId);
    const before = await test.counts();
    const at = (path: string) => join(test.root, path);
    for (const path of [
      "layers/ingest/aa/diff",
      "layers/77/diff/sub",
      "snapshots/78/diff",
      "snapshots/78/work",
    ])
      mkdirSync(at(path), { recursive: true });
    writeFileSync(at("content/ingest/bb"), "half a blob");
    writeFileSync(at(`content/sha256/${"0".repeat(64)}`), "a blob whose image was never put down");
    const store = await test.reopen();
    await eventually(async () => assert.deepEqual(await test.counts(), before) === undefined);
    assert.deepEqual(store.snapshots.get("k"), mount);
    assert.equal(store.images.resolve("app").layers.length, 1);
    // Numbers of what is still being removed are not given out again.
    assert.ok(existsSync((await store.snapshots.prepare("next")).upper));
  });

  test("makes layers again that a power cut may have damaged", async () => {
    await using test = await openTestStore();
    await loadImage(test.store, testImage("app", "1", [base, top]));
    const mount = await test.store.snapshots.prepare("k", test.store.images.resolve("app").chainId);
    await test.store[Symbol.asyncDispose]();
    const database = new DatabaseSync(join(test.root, "store.db"));
    assert.equal(database.prepare("SELECT count(*) AS n FROM layers WHERE synced = 0").get()?.["n"], 0);
    database.exec("UPDATE layers SET synced = 0, boot = 'before'");
    database.close();
    for (const lower of mount.lower) rmSync(lower, { recursive: true });
    await using store = await Store.open({ root: test.root, log: silentLogger });
    withMount(store.snapshots.get("k"), (root) => {
      assert.equal(readFileSync(join(root, "etc/a"), "utf8"), "top a");
      assert.deepEqual(readdirSync(join(root, "d")), ["y"]);
    });
  });

  test("lists the other images when the configuration of one is lost", async () => {
    await using test = await openTestStore();
    await loadImage(test.store, testImage("a", "a"));
    await loadImage(test.store, testImage("b", "b"));
    writeFileSync(join(test.root, "content/sha256", test.store.images.resolve("a").id.slice(7)), "damaged");
    const { images } = await test.reopen();
    assert.deepEqual(
      images.list().map(({ names }) => names),
      [["b:latest"]],
    );
  });
});

describe("Store.open() says what is wrong", () => {
  const open = (root: string) => Store.open({ root, log: silentLogger });

  test("with a database that is none, or newer", async () => {
    await using dir = await openTempDir();
    const path = join(dir.path, "store.db");
    writeFileSync(path, "this is not a database".repeat(100));
    await assert.rejects(open(dir.path), isFault("data-loss", /damaged/));
    rmSync(path);
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 1000");
    database.close();
    await assert.rejects(open(dir.path), isFault("unavailable", /version 1000/));
  });

  test("with a disk that is full or read-only, and goes on when there is room again", async () => {
    await using dir = await openTempDir();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=5m", "tmpfs", dir.path]);
    try {
      {
        await using store = await open(dir.path);
        const big = testImage("big", "1", [[{ path: "f", type: "file", content: Buffer.alloc(6 << 20) }]]);
        await assert.rejects(loadImage(store, big), isFault("resource-exhausted", /no space left/));
        const inLayer = testImage("big", "2", [
          [{ path: "f", type: "file", content: Buffer.alloc(1600 << 10) }],
        ]);
        await assert.rejects(
          loadImage(store, inLayer),
          isFault("resource-exhausted", /no space left|ENOSPC/),
        );
        assert.deepEqual(store.images.list(), []);
        await loadImage(store, testImage("small", "3", [base]));
      }
      execFileSync("mount", ["-o", "remount,ro", dir.path]);
      await assert.rejects(open(dir.path), isFault("unavailable", /read-only/));
      await assert.rejects(open(join(dir.path, "new")), isFault("unavailable", /read-only/));
    } finally {
      execFileSync("umount", [dir.path]);
    }
  });
});
