import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Worker } from "node:worker_threads";
import { writeTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { CacheMounts, cacheFolderName } from "./cache-mounts.ts";

let dir: Awaited<ReturnType<typeof openTempDir>>;
let caches: CacheMounts;
let number = 0;
before(async () => {
  dir = await openTempDir();
  const temporary = () => join(dir.path, "run", `${number++}`);
  caches = new CacheMounts({ folder: join(dir.path, "cache"), temporary });
});
after(() => dir[Symbol.asyncDispose]());

const name = cacheFolderName("one");
const archive = (word: string) =>
  writeTar([
    { path: name, type: "directory" },
    { path: `${name}/word`, type: "file", content: Buffer.from(word) },
  ]);
const { signal } = new AbortController();

/** Looks for a path all the time, on a thread of its own. */
const watcher = `
  const { existsSync } = require("node:fs");
  const { workerData } = require("node:worker_threads");
  const state = new Int32Array(workerData.state);
  while (Atomics.load(state, 0) === 0) {
    if (!existsSync(workerData.path)) Atomics.add(state, 1, 1);
    Atomics.add(state, 2, 1);
  }
`;

test("a cache that is replaced is there at every moment, the old one or the new one", async () => {
  assert.equal(await caches.import(archive("first"), signal), 1);
  const state = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(watcher, {
    eval: true,
    workerData: { state: state.buffer, path: join(caches.folderOf(name), "word") },
  });
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  for (let round = 0; round < 60 || Atomics.load(state, 2) === 0; round += 1) {
    await caches.import(archive(`${round}`), signal);
    assert.equal(readFileSync(join(caches.folderOf(name), "word"), "utf8"), `${round}`);
  }
  Atomics.store(state, 0, 1);
  await ended;
  assert.equal(Atomics.load(state, 1), 0);
});

test("what nobody uses is cleared, and nothing else", async () => {
  for (const id of ["used", "alone", "free"]) {
    mkdirSync(caches.folderOf(id), { recursive: true });
    writeFileSync(join(caches.folderOf(id), "f"), id);
  }
  const has = (id: string) => {
    try {
      return readFileSync(join(caches.folderOf(id), "f"), "utf8") === id;
    } catch {
      return false;
    }
  };
  const [first, second] = [caches.use("used"), caches.use("used")];
  first[Symbol.dispose]();
  await caches.runAlone(["alone", "alone"], async () => await caches.clear(), signal);
  assert.deepEqual(["used", "alone", "free"].map(has), [true, true, false]);
  second[Symbol.dispose]();
  await Promise.all([caches.clear(), caches.clear()]);
  assert.deepEqual(["used", "alone"].map(has), [false, false]);
});

test("an id means all that begin otherwise, in an archive and back", async () => {
  const names = [cacheFolderName("two"), cacheFolderName("two", "7:7 755")];
  for (const one of [...names, cacheFolderName("tw")]) {
    mkdirSync(caches.folderOf(one), { recursive: true });
    writeFileSync(join(caches.folderOf(one), "f"), one);
  }
  const archived = Buffer.concat(await Array.fromAsync(await caches.export(["two"], signal)));
  await caches.clear();
  async function* chunks() {
    yield archived;
  }
  assert.equal(await caches.import(chunks(), signal), 2);
  assert.deepEqual(
    names.map((one) => readFileSync(join(caches.folderOf(one), "f"), "utf8")),
    names,
  );
});
