import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { writeFile } from "./write-file.ts";

const content = randomBytes(35_000_001);

async function* pieces(...sizes: readonly number[]) {
  for (let at = 0, index = 0; at < content.length; index++) {
    const size = sizes[index % sizes.length] ?? content.length;
    yield content.subarray(at, at + size);
    at += size;
  }
}

test("writeFile() writes what comes, in chunks of any size, and shows each before", async () => {
  await using dir = await openTempDir();
  for (const sizes of [[content.length], [1 << 20], [1, 65_536, 3_000_000], [32_768, 17]]) {
    const path = join(dir.path, sizes.join());
    await using file = await open(path, "wx");
    let seen = 0;
    const written: number[] = [];
    await writeFile(file, pieces(...sizes), {
      take(chunk) {
        seen += chunk.length;
      },
      onWritten: (bytes) => written.push(bytes),
    });
    assert.equal(seen, content.length);
    assert.equal(written.at(-1), content.length);
    assert.deepEqual(
      written,
      written.toSorted((a, b) => a - b),
    );
    assert.ok(content.equals(await readFile(path)), sizes.join());
  }
});

test("writeFile() has nothing under way when what it reads, or who looks at it, fails", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "file");
  const file = await open(path, "wx");
  async function* broken() {
    yield content.subarray(0, 20 << 20);
    throw new Error("broken off");
  }
  await assert.rejects(writeFile(file, broken(), { take() {} }), /broken off/);
  const take = () => {
    throw new Error("refused");
  };
  await assert.rejects(writeFile(file, pieces(1 << 20), { take }), /refused/);
  await file.close();
  assert.ok((await readFile(path)).length <= 20 << 20);
});
