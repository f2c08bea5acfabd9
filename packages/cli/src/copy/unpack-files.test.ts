import assert from "node:assert/strict";
import { lstat, mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Fault, type TarSource, writeTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { unpackFiles } from "./unpack-files.ts";

const file = (path: string, text = "x"): TarSource => ({ path, type: "file", content: Buffer.from(text) });

async function unpack(entries: readonly TarSource[], folder: string, name?: string) {
  return await unpackFiles(writeTar(entries), {
    folder,
    sourcePath: "/srv/tree",
    keepOwners: false,
    ...(name !== undefined && { name }),
  });
}

const isRefusal = (error: unknown) => Fault.is(error, "invalid-argument");

test("unpackFiles() writes nothing through a link, whoever made it", async () => {
  await using dir = await openTempDir();
  const outside = join(dir.path, "outside");
  const folder = join(dir.path, "folder");
  await mkdir(outside);
  await mkdir(folder);
  const link = (path: string): TarSource => ({ path, type: "symlink", linkPath: outside });
  await assert.rejects(unpack([link("tree"), file("tree/escaped")], folder), isRefusal);
  await assert.rejects(
    unpack([{ path: "tree", type: "directory" }, file("tree/../../escaped")], folder),
    isRefusal,
  );
  await symlink(outside, join(folder, "own"));
  await assert.rejects(unpack([file("own/escaped")], folder), isRefusal);
  await assert.rejects(unpack([{ path: "own", type: "directory" }], folder), isRefusal);
  await symlink(join(outside, "new"), join(folder, "leaf"));
  await unpack([file("leaf", "inside")], folder);
  assert.equal(await readFile(join(folder, "leaf"), "utf8"), "inside");
  assert.ok((await lstat(join(folder, "leaf"))).isFile());
  await assert.rejects(
    unpack([{ path: "hard", type: "hardlink", linkPath: "own/../../outside/x" }], folder),
    isRefusal,
  );
  assert.deepEqual(await readdir(outside), []);
});

test("unpackFiles() gives the first part of each name another name", async () => {
  await using dir = await openTempDir();
  const entries: TarSource[] = [
    { path: "tree", type: "directory", mode: 0o500 },
    file("tree/tree"),
    { path: "tree/again", type: "hardlink", linkPath: "tree/tree" },
    { path: "tree/pipe", type: "fifo" },
  ];
  assert.deepEqual(await unpack(entries, dir.path, "other"), ["other/pipe"]);
  assert.deepEqual((await readdir(join(dir.path, "other"))).toSorted(), ["again", "tree"]);
  assert.equal((await lstat(join(dir.path, "other"))).mode & 0o777, 0o500);
  assert.equal((await lstat(join(dir.path, "other/again"))).nlink, 2);
});

test("unpackFiles() lets folders and other things not replace each other", async () => {
  await using dir = await openTempDir();
  await mkdir(join(dir.path, "tree"));
  await assert.rejects(unpack([file("tree")], dir.path), { message: /cannot overwrite directory/ });
  await unpack([file("leaf")], dir.path);
  await assert.rejects(unpack([{ path: "leaf", type: "directory" }], dir.path), {
    message: /cannot overwrite non-directory/,
  });
});
