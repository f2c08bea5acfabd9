import assert from "node:assert/strict";
import { appendFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { LogCursor, type LogPosition } from "./log-cursor.ts";
import { formatLogTime } from "./log-entry.ts";

const lines = (...texts: readonly string[]) =>
  texts
    .map((text) => `${JSON.stringify({ log: `${text}\n`, stream: "stdout", time: formatLogTime(5n) })}\n`)
    .join("");

async function endOf(path: string): Promise<LogPosition> {
  const { ino, size } = await stat(path, { bigint: true });
  return { inode: ino, offsetBytes: Number(size) };
}

async function openLog(content?: string) {
  const dir = await openTempDir();
  const path = join(dir.path, "json.log");
  if (content !== undefined) await writeFile(path, content);
  const cursor = new LogCursor(path);
  return {
    path,
    read: async (end?: LogPosition) =>
      (await Array.fromAsync(cursor.read(end))).map(({ text }) => text.trimEnd()),
    async [Symbol.asyncDispose]() {
      await cursor[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

test("a step goes on where the last one ended, and ends where it is told", async () => {
  await using log = await openLog(lines("1", "2"));
  assert.deepEqual(await log.read(), ["1", "2"]);
  assert.deepEqual(await log.read(), []);
  await appendFile(log.path, lines("3"));
  const end = await endOf(log.path);
  await appendFile(log.path, lines("4"));
  assert.deepEqual(await log.read(end), ["3"]);
  assert.deepEqual(await log.read(end), []);
  assert.deepEqual(await log.read(), ["4"]);
});

test("rotations between two steps lose nothing", async () => {
  await using log = await openLog(lines("1"));
  assert.deepEqual(await log.read(), ["1"]);
  await appendFile(log.path, lines("2"));
  await rename(log.path, `${log.path}.2`);
  await writeFile(`${log.path}.1`, lines("3"));
  await writeFile(log.path, lines("4"));
  const end = await endOf(log.path);
  await appendFile(log.path, lines("5"));
  assert.deepEqual(await log.read(end), ["2", "3", "4"]);
  assert.deepEqual(await log.read(), ["5"]);
});

test("a rotation after the end that is told adds nothing", async () => {
  await using log = await openLog();
  assert.deepEqual(await log.read(), []);
  await writeFile(log.path, lines("1"));
  const end = await endOf(log.path);
  await appendFile(log.path, lines("2"));
  await rename(log.path, `${log.path}.1`);
  await writeFile(log.path, lines("3"));
  assert.deepEqual(await log.read(end), ["1"]);
});

test("a single file that is replaced: what is read of it is in it, and nothing of what came after the end", async () => {
  await using log = await openLog(lines("1"));
  assert.deepEqual(await log.read(), ["1"]);
  await appendFile(log.path, lines("2"));
  const gone = { inode: 0n, offsetBytes: 1000 };
  await rm(log.path);
  await writeFile(log.path, lines("3"));
  assert.deepEqual(await log.read(gone), ["2"]);
});
