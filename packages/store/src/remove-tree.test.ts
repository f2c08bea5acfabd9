import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { removeTree } from "./remove-tree.ts";

test("removeTree() removes everything and follows no link", async () => {
  await using dir = await openTempDir();
  const tree = join(dir.path, "tree");
  mkdirSync(join(tree, "a/b"), { recursive: true });
  writeFileSync(join(dir.path, "keep"), "");
  mkdirSync(join(dir.path, "keep-folder"));
  writeFileSync(join(dir.path, "keep-folder/f"), "");
  symlinkSync(join(dir.path, "keep-folder"), join(tree, "a/link"));
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/a/`), Buffer.from([0xff, 0xfe])]), "");
  await removeTree(tree);
  await removeTree(tree);
  assert.deepEqual(readdirSync(dir.path).toSorted(), ["keep", "keep-folder"]);
  assert.ok(existsSync(join(dir.path, "keep-folder/f")));
  await removeTree(join(dir.path, "keep"));
  assert.ok(!existsSync(join(dir.path, "keep")));
});

test("removeTree() removes trees that are deeper than a path can be", async () => {
  await using dir = await openTempDir();
  const tree = join(dir.path, "tree");
  mkdirSync(tree);
  const name = "n".repeat(200);
  const make = `for (let i = 0; i < 100; i++) {
    fs.mkdirSync(process.argv[1]);
    process.chdir(process.argv[1]);
    fs.writeFileSync("file", "");
  }`;
  execFileSync(process.execPath, ["-e", make, name], { cwd: tree });
  await removeTree(tree);
  assert.deepEqual(readdirSync(dir.path), []);
});
