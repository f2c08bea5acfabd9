import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { eventually } from "@hawser/base/testing";
import { setTimesNs } from "@hawser/linux";
import { type ChainId, chainIdsOf } from "@hawser/oci";
import { type HeldLayer, readFiles, type Store } from "../index.ts";
import { openTestStore, type TestStore } from "../testing/open-test-store.ts";
import { emptyExecution } from "./new-image.ts";

const latestNs = 1_700_000_000_000_000_000n;

/** A layer of one file, as a build's step makes it. */
async function make(
  store: Store,
  { text, parent, madeOf }: { readonly text: string; readonly parent?: ChainId; readonly madeOf?: string },
): Promise<HeldLayer> {
  const { upper } = await store.snapshots.prepare("step", parent);
  writeFileSync(join(upper, "file"), text);
  const folder = { path: upper, leaveOut: [], latestNs };
  const options = { ...(parent && { parent }), ...(madeOf !== undefined && { madeOf }) };
  const held = await store.images.layers.make(folder, options);
  await store.snapshots.remove("step");
  assert.ok(held !== undefined);
  return held;
}

/** Folders and how many names are in them, once what was removed is gone. */
async function hasOnly(test: TestStore, counts: Readonly<Record<string, number>>): Promise<void> {
  const isSo = async () => isDeepStrictEqual(await test.counts(), counts);
  await eventually(isSo, { what: `there is ${JSON.stringify(counts)}` });
}

const shownIn = (store: Store, chainId: ChainId) =>
  readFileSync(join(store.snapshots.lowerFolders(chainId)[0] ?? "", "file"), "utf8");

/** What a stop of the machine's leaves that came before anything was on the disk. */
function cutPower(root: string): void {
  using database = new DatabaseSync(join(root, "store.db"));
  database.exec("UPDATE layers SET synced = 0, boot = 'before'");
}

test("a layer that is made has no archive until it is sealed, and one from then on", async () => {
  await using test = await openTestStore();
  using low = await make(test.store, { text: "low" });
  using high = await make(test.store, { text: "high", parent: low.layer.chainId });
  assert.equal(high.layer.diffId, undefined);
  assert.equal(test.store.images.layers.sealedNames().get(high.layer.chainId), undefined);
  await hasOnly(test, { layers: 2 });

  const { layers } = test.store.images;
  using holds = new DisposableStack();
  const seal = async () => holds.use(await layers.seal(high.layer.chainId)).layer;
  const [sealed, other] = await Promise.all([seal(), seal()]);
  assert.deepEqual(sealed, other);
  const diffIds = layers.chain(sealed.chainId).flatMap(({ diffId }) => diffId ?? []);
  assert.equal(chainIdsOf(diffIds).at(-1), sealed.chainId);
  assert.equal(layers.sealedNames().get(high.layer.chainId), sealed.chainId);
  await hasOnly(test, { layers: 2, "content/sha256": 2 });
});

test("an image of layers that were made keeps them when what has made them is gone", async () => {
  await using test = await openTestStore();
  const made = await make(test.store, { text: "content" });
  const sealed = await test.store.images.layers.seal(made.layer.chainId);
  const config = {
    os: "linux",
    architecture: "amd64",
    execution: emptyExecution,
    diffIds: [sealed.layer.diffId],
    history: [],
  };
  const image = await test.store.maker.create(config, { references: ["made"] });
  for (const held of [made, sealed]) held[Symbol.dispose]();
  await test.store.images.layers.collect();
  assert.equal(image.chainId, sealed.layer.chainId);
  assert.ok(!test.store.images.layers.has(made.layer.chainId));
  const store = await test.reopen();
  assert.equal(shownIn(store, sealed.layer.chainId), "content");

  cutPower(test.root);
  assert.equal(shownIn(await test.reopen(), sealed.layer.chainId), "content");
  await test.store.images.remove("made", { force: false, isUsed: () => undefined });
  await hasOnly(test, {});
});

test("an archive that is there makes no second one", async () => {
  await using test = await openTestStore();
  using one = await make(test.store, { text: "same" });
  using other = await make(test.store, { text: "same" });
  assert.notEqual(one.layer.chainId, other.layer.chainId);
  const { layers } = test.store.images;
  using first = await layers.seal(one.layer.chainId);
  const compressed = await layers.distribute(
    [first.layer.chainId],
    { compression: "zstd", force: true },
    { use: async ([encoded]) => encoded?.digest },
  );
  using second = await layers.seal(other.layer.chainId);
  assert.equal(second.layer.chainId, first.layer.chainId);
  await layers.collect();
  assert.deepEqual(await test.store.content.list(), [compressed]);
});

test("a folder that turns out to be there already goes once nobody works with it", async () => {
  await using test = await openTestStore();
  const { layers } = test.store.images;
  using one = await make(test.store, { text: "same" });
  using first = await layers.seal(one.layer.chainId);
  one[Symbol.dispose]();
  await layers.collect();
  await hasOnly(test, { layers: 1, "content/sha256": 1 });

  const other = await make(test.store, { text: "same" });
  const second = await layers.seal(other.layer.chainId);
  assert.equal(second.layer.chainId, first.layer.chainId);
  test.store.buildCache.put({ key: "other", chainId: other.layer.chainId, description: "" });
  await layers.collect();
  await hasOnly(test, { layers: 2, "content/sha256": 1 });
  for (const held of [other, second]) held[Symbol.dispose]();
  await layers.collect();
  await hasOnly(test, { layers: 1, "content/sha256": 1 });
  assert.equal(shownIn(test.store, other.layer.chainId), "same");
  first[Symbol.dispose]();
  assert.equal(shownIn(await test.reopen(), other.layer.chainId), "same");
});

test("what is made of the same is the same layer", async () => {
  await using test = await openTestStore();
  using one = await make(test.store, { text: "one", madeOf: "key" });
  using again = await make(test.store, { text: "one", madeOf: "key" });
  using other = await make(test.store, { text: "one", madeOf: "other" });
  assert.equal(again.layer.chainId, one.layer.chainId);
  assert.notEqual(other.layer.chainId, one.layer.chainId);
  await hasOnly(test, { layers: 2 });
});

test("a folder in which nothing is left makes no layer", async () => {
  await using test = await openTestStore();
  const { upper } = await test.store.snapshots.prepare("step");
  mkdirSync(join(upper, "etc"));
  writeFileSync(join(upper, "etc/hosts"), "");
  const folder = { path: upper, leaveOut: ["etc", "etc/hosts"], latestNs };
  assert.equal(await test.store.images.layers.make(folder, {}), undefined);
});

test("a folder is as old as it was before what the engine has put there left it", async () => {
  await using test = await openTestStore();
  const { upper } = await test.store.snapshots.prepare("step");
  mkdirSync(join(upper, "etc"));
  for (const name of ["hosts", "kept"]) writeFileSync(join(upper, "etc", name), "");
  setTimesNs(join(upper, "etc"), 1_000_000_000n, 1_000_000_000n);
  const folder = { path: upper, leaveOut: ["etc/hosts"], latestNs };
  const archive = await Array.fromAsync(
    readFiles({ kind: "folder", path: upper }, { kind: "layer", ...folder }, {}),
  );
  using unpacked = await test.store.images.layers.add(
    (async function* () {
      yield* archive;
    })(),
    {},
  );
  using made = await test.store.images.layers.make(folder, {});
  assert.ok(made !== undefined);
  using sealed = await test.store.images.layers.seal(made.layer.chainId);
  assert.equal(sealed.layer.diffId, unpacked?.layer.diffId);
});

test("layers without an archive outlive the engine, and are gone after a power cut with what lies on them", async () => {
  await using test = await openTestStore();
  const low = await make(test.store, { text: "low" });
  const high = await make(test.store, { text: "high", parent: low.layer.chainId });
  test.store.buildCache.put({ key: "low", chainId: low.layer.chainId, description: "" });
  test.store.buildCache.put({ key: "high", chainId: high.layer.chainId, description: "" });
  for (const held of [low, high]) held[Symbol.dispose]();
  let store = await test.reopen();
  assert.equal(shownIn(store, high.layer.chainId), "high");
  assert.equal(store.buildCache.list().length, 2);

  // What was brought to the disk stays.
  store.images.layers.sync();
  store = await test.reopen();
  {
    using database = new DatabaseSync(join(test.root, "store.db"));
    database.exec("UPDATE layers SET boot = 'before'");
  }
  store = await test.reopen();
  assert.equal(shownIn(store, high.layer.chainId), "high");

  cutPower(test.root);
  store = await test.reopen();
  assert.deepEqual(store.buildCache.list(), []);
  assert.ok(!store.images.layers.has(low.layer.chainId));
  assert.ok(!store.images.layers.has(high.layer.chainId));
  await hasOnly(test, {});
  using again = await make(store, { text: "low" });
  assert.equal(shownIn(store, again.layer.chainId), "low");
});

test("a folder that several layers share is made again for all of them", async () => {
  await using test = await openTestStore();
  const made = await make(test.store, { text: "content" });
  const sealed = await test.store.images.layers.seal(made.layer.chainId);
  for (const { layer } of [made, sealed])
    test.store.buildCache.put({ key: layer.chainId, chainId: layer.chainId, description: "" });
  for (const held of [made, sealed]) held[Symbol.dispose]();
  await test.reopen();
  cutPower(test.root);
  const store = await test.reopen();
  for (const { layer } of [made, sealed]) assert.equal(shownIn(store, layer.chainId), "content");
  using database = new DatabaseSync(join(test.root, "store.db"));
  assert.deepEqual(database.prepare("SELECT * FROM layers WHERE boot = 'before'").all(), []);
});

test("layers of a store that an earlier version has left are there", async () => {
  await using test = await openTestStore();
  const made = await make(test.store, { text: "content" });
  const sealed = await test.store.images.layers.seal(made.layer.chainId);
  const { chainId, diffId } = sealed.layer;
  test.store.buildCache.put({ key: "kept", chainId, description: "" });
  for (const held of [made, sealed]) held[Symbol.dispose]();
  await test.store.images.layers.collect();
  {
    using database = new DatabaseSync(join(test.root, "store.db"));
    database.exec(`
      CREATE TABLE earlier (
        chain_id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, parent TEXT, diff_id TEXT NOT NULL,
        size_bytes INTEGER NOT NULL, blob TEXT NOT NULL, boot TEXT NOT NULL, synced INTEGER NOT NULL, folder INTEGER
      ) STRICT;
      INSERT INTO earlier
        SELECT chain_id, number, parent, diff_id, size_bytes, blob, boot, synced, folder FROM layers;
      DROP TABLE layers;
      ALTER TABLE earlier RENAME TO layers;
      PRAGMA user_version = 4;`);
  }
  const store = await test.reopen();
  assert.equal(shownIn(store, chainId), "content");
  assert.deepEqual(
    store.images.layers.chain(chainId).map((layer) => layer.diffId),
    [diffId],
  );
  assert.equal(store.images.layers.sealedNames().get(chainId), chainId);
});

test("who gives up does not stop others that want the same archive", async () => {
  await using test = await openTestStore();
  using made = await make(test.store, { text: "content" });
  const { layers } = test.store.images;
  const stop = new AbortController();
  const given = layers.seal(made.layer.chainId, { signal: stop.signal });
  const wanted = layers.seal(made.layer.chainId);
  stop.abort(new Error("given up"));
  await assert.rejects(given, /given up/);
  using sealed = await wanted;
  assert.equal(layers.sealedNames().get(made.layer.chainId), sealed.layer.chainId);
  assert.equal((await test.counts())["content/ingest"], undefined);
});
