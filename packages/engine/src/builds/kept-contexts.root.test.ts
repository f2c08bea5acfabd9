import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type TarSource, writeTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { BuildContext } from "./build-context.ts";
import { KeptContexts, type ListedFolder } from "./kept-contexts.ts";

/** A folder of texts; `asked` is what was sent of it. */
function folderOf(files: Readonly<Record<string, string>>): ListedFolder & { readonly asked: string[] } {
  const asked: string[] = [];
  const listed = Object.entries(files).map(([path, text]) => ({ path, mark: `mark of ${text}` }));
  return {
    asked,
    listed,
    async *receive(wants) {
      for (const file of listed.filter(wants)) {
        asked.push(file.path);
        yield entryOf(file.path, files[file.path] ?? "");
      }
    },
  };
}

function entryOf(path: string, text: string): TarSource {
  return text === "folder"
    ? { path, type: "directory", mode: 0o755 }
    : { path, type: "file", mode: 0o644, content: Buffer.from(text) };
}

async function openKept() {
  const dir = await openTempDir();
  const randomName = () => randomBytes(4).toString("hex");
  const kept = new KeptContexts({ folder: join(dir.path, "kept"), randomName });
  const signal = AbortSignal.timeout(30_000);
  return {
    receive: (folder: ListedFolder, place: string | undefined = "here") =>
      kept.receive(folder, { place, signal }),
    kept,
    folders: () => readdir(join(dir.path, "kept")).catch(() => []),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

test("what has not changed is not sent again, and the context is what it would be", async () => {
  await using opened = await openKept();
  const files = { d: "folder", "d/a": "1", "d/b": "2" };
  await using first = await opened.receive(folderOf(files));
  const digest = first.context.digestOf("d");
  await first[Symbol.asyncDispose]();

  const same = folderOf(files);
  await using second = await opened.receive(same);
  assert.deepEqual(same.asked, []);
  assert.equal(second.context.digestOf("d"), digest);
  await second[Symbol.asyncDispose]();

  const told = await opened.receive({ ...folderOf(files), digest: "one" });
  await told[Symbol.asyncDispose]();
  const unread: ListedFolder = {
    digest: "one",
    get listed(): never {
      throw new Error("nobody needs it");
    },
    receive: () => assert.fail("nothing is wanted of it"),
  };
  await using again = await opened.receive(unread);
  assert.equal(again.context.digestOf("d"), digest);
  await again[Symbol.asyncDispose]();

  const changed = folderOf({ ...files, "d/b": "3", "d/c": "4" });
  await using third = await opened.receive(changed);
  assert.deepEqual(changed.asked, ["d/b", "d/c"]);
  assert.notEqual(third.context.digestOf("d"), digest);
  assert.equal(third.context.digestOf("d/a"), second.context.digestOf("d/a"));
  const folder = join(third.context.folder, "files/d");
  assert.deepEqual(await readdir(folder), ["a", "b", "c"]);
  assert.equal(await readFile(join(folder, "b"), "utf8"), "3");
  await third[Symbol.asyncDispose]();

  const less = folderOf({ d: "folder", "d/a": "1" });
  await using fourth = await opened.receive(less);
  assert.deepEqual(less.asked, ["d", "d/a"]);
  assert.deepEqual(await readdir(join(fourth.context.folder, "files/d")), ["a"]);
});

test("digests are those of a context that came as an archive", async () => {
  await using opened = await openKept();
  const files = { d: "folder", "d/a": "some text", empty: "" };
  await using received = await opened.receive(folderOf(files));
  await using dir = await openTempDir();
  const archive = writeTar(Object.entries(files).map(([path, text]) => entryOf(path, text)));
  await using unpacked = await BuildContext.open(archive, {
    folder: join(dir.path, "context"),
    signal: AbortSignal.timeout(30_000),
  });
  for (const path of ["d", "d/a", "empty", ""]) {
    assert.equal(received.context.digestOf(path), unpacked.digestOf(path), path);
  }
});

test("two builds of a place do not share a folder, and places are few", async () => {
  await using opened = await openKept();
  await using one = await opened.receive(folderOf({ a: "1" }));
  const other = folderOf({ a: "1" });
  await using two = await opened.receive(other);
  assert.deepEqual(other.asked, ["a"]);
  assert.notEqual(one.context.folder, two.context.folder);
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  assert.equal((await opened.folders()).length, 1);
  for (let place = 0; place < 10; place++) {
    await using _ = await opened.receive(folderOf({ a: "1" }), `place ${place}`);
  }
  assert.equal((await opened.folders()).length, 8);
  await using unnamed = await opened.kept.receive(folderOf({ a: "1" }), {
    place: undefined,
    signal: AbortSignal.timeout(30_000),
  });
  await unnamed[Symbol.asyncDispose]();
  await opened.kept.clear();
  assert.deepEqual(await opened.folders(), []);
});

test("a transfer that fails leaves nothing, and the next one begins anew", async () => {
  await using opened = await openKept();
  await (await opened.receive(folderOf({ a: "1", b: "2" })))[Symbol.asyncDispose]();
  const broken: ListedFolder = {
    listed: [
      { path: "a", mark: "another" },
      { path: "b", mark: "mark of 2" },
    ],
    async *receive() {
      yield entryOf("a", "half");
      throw new Error("the client is gone");
    },
  };
  await assert.rejects(opened.receive(broken), { message: /the client is gone/ });
  assert.deepEqual(await opened.folders(), []);
  const whole = folderOf({ a: "1", b: "2" });
  await using _ = await opened.receive(whole);
  assert.deepEqual(whole.asked, ["a", "b"]);
});

test("a client that goes away while nothing is wanted of it leaves nothing", async () => {
  await using opened = await openKept();
  await (await opened.receive(folderOf({ a: "1" })))[Symbol.asyncDispose]();
  const gone: ListedFolder = {
    ...folderOf({ a: "1" }),
    async *receive() {
      yield* await Promise.reject<readonly TarSource[]>(new Error("the client is gone"));
    },
  };
  await assert.rejects(opened.receive(gone), { message: /the client is gone/ });
  assert.deepEqual(await opened.folders(), []);
});

test("a name that leads out stays inside", async () => {
  await using opened = await openKept();
  const hostile: ListedFolder = {
    listed: [{ path: "x", mark: "" }],
    async *receive() {
      yield { path: "link", type: "symlink", linkPath: "/tmp" };
      yield { path: "link/../../../escaped", type: "file", content: Buffer.from("x") };
    },
  };
  await using received = await opened.receive(hostile).catch(() => undefined);
  assert.ok(
    received === undefined || !(await readdir(join(received.context.folder, ".."))).includes("escaped"),
  );
});
