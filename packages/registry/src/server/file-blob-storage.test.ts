import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { FileBlobStorage } from "./file-blob-storage.ts";

test("what a crash left half written is gone after the next start; uploads are not", async () => {
  await using dir = await openTempDir();
  const before = await FileBlobStorage.open(dir.path);
  const { id } = await before.createUpload("team/app", { algorithm: "sha256" });
  const uploads = join(dir.path, "uploads");
  await writeFile(join(uploads, `${id.slice(0, -1)}x.json.4d25z32dsz6.tmp`), "{");
  await writeFile(join(uploads, `${"a".repeat(64)}.4d25z32dsz6.tmp`), "a manifest");
  const after = await FileBlobStorage.open(dir.path);
  assert.deepEqual((await readdir(uploads)).toSorted(), [id, `${id}.json`]);
  assert.equal((await after.findUpload(id))?.repository, "team/app");
});
