import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { parseExitRecord, readExitRecord } from "./exit-record.ts";

test("an exit record", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "exit");
  assert.equal(await readExitRecord(path), undefined);
  await writeFile(path, "code=137 signal=9 oom=1 exited-at=1795461586006003000\n");
  assert.deepEqual(await readExitRecord(path), {
    code: 137,
    signal: 9,
    oom: true,
    exitedAtMs: 1795461586006.003,
  });
});

test("what is no exit record is none", () => {
  for (const text of [
    "",
    "code=1",
    "code=x signal=0 oom=0 exited-at=1\n",
    "code=1 signal=0 oom=2 exited-at=1\n",
  ]) {
    assert.equal(parseExitRecord(text), undefined, text);
  }
});
