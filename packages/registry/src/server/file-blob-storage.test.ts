import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { ChunkReader } from "./chunk-reader.ts";
import { FileBlobStorage } from "./file-blob-storage.ts";
import { FileUploads } from "./file-uploads.ts";
import { describeBlobStorage } from "./testing/blob-storage-contract.ts";

async function openStorage(root: string): Promise<FileBlobStorage> {
  const reader = new ChunkReader();
  return await FileBlobStorage.open(root, { uploads: await FileUploads.open(root, reader), reader });
}

describeBlobStorage("blobs as files", async () => {
  const dir = await openTempDir();
  return {
    storage: await openStorage(dir.path),
    reopen: () => openStorage(dir.path),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
});

test("what a crash left half written is gone after the next start; uploads are not", async () => {
  await using dir = await openTempDir();
  const before = await openStorage(dir.path);
  const { id } = await before.uploads.create("team/app", { algorithm: "sha256" });
  const uploads = join(dir.path, "uploads");
  await writeFile(join(uploads, `${id.slice(0, -1)}x.json.4d25z32dsz6.tmp`), "{");
  await writeFile(join(uploads, `${"a".repeat(64)}.4d25z32dsz6.tmp`), "a manifest");
  const after = await openStorage(dir.path);
  assert.deepEqual((await readdir(uploads)).toSorted(), [id, `${id}.json`]);
  assert.equal((await after.uploads.find(id))?.repository, "team/app");
});
