import assert from "node:assert/strict";
import { appendFile, readdir, readlink, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { formatLogTime } from "./log-entry.ts";
import { readLog } from "./read-log.ts";

const line = (text: string, seconds = 0, stream = "stdout") =>
  `${JSON.stringify({ log: text, stream, time: formatLogTime(BigInt(seconds) * 10n ** 9n + 5n) })}\n`;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => line(`${from + index}\n`, from + index)).join("");

async function texts(entries: AsyncIterable<{ readonly text: string }>): Promise<string[]> {
  const all: string[] = [];
  for await (const { text } of entries) all.push(text.trimEnd());
  return all;
}
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

/** As the monitor does it: every name one further, then a new file. */
async function rotate(path: string): Promise<void> {
  const kept = (await readdir(join(path, ".."))).filter((name) => /^json\.log\.\d$/.test(name)).toSorted();
  for (const name of kept.toReversed()) {
    await rename(join(path, "..", name), `${path}.${Number(name.slice(9)) + 1}`);
  }
  await rename(path, `${path}.1`);
  await writeFile(path, "");
}

test("all files of a rotated log, oldest first", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(`${path}.2`, lines(0, 3000));
  await writeFile(`${path}.1`, lines(3000, 6000));
  await writeFile(path, lines(6000, 6010));
  assert.deepEqual(await texts(readLog(path)), numbers(0, 6010));
});

test("the last lines, wherever they are", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(`${path}.2`, lines(0, 1000));
  await writeFile(`${path}.1`, lines(1000, 3000));
  await writeFile(path, lines(3000, 3010));
  for (const tail of [0, 1, 9, 10, 11, 2009, 2010, 2011, 3009, 3010, 5000]) {
    assert.deepEqual(
      await texts(readLog(path, { tail })),
      numbers(Math.max(0, 3010 - tail), 3010),
      `tail ${tail}`,
    );
  }
});

test("the last line of a long line's parts is all of them", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  const long = "x".repeat(16 * 1024);
  await writeFile(path, line("first\n") + line(long) + line(long) + line("end\n") + line("prompt> "));
  assert.deepEqual(await texts(readLog(path, { tail: 1 })), ["prompt>"]);
  assert.deepEqual(await texts(readLog(path, { tail: 2 })), [long, long, "end", "prompt>"]);
});

test("a span of time", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(path, lines(0, 100));
  const at = (seconds: number) => formatLogTime(BigInt(seconds) * 10n ** 9n);
  assert.deepEqual(await texts(readLog(path, { since: at(50) })), numbers(50, 100));
  assert.deepEqual(await texts(readLog(path, { since: at(50), until: at(60) })), numbers(50, 60));
  assert.deepEqual(await texts(readLog(path, { tail: 10, since: at(95) })), numbers(95, 100));
});

test("an entry has its bytes, stream and time as written", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(
    path,
    '{"log":"\\u003cb\\u003e ü\\r\\n","stream":"stderr","time":"2026-11-23T18:27:58.123456789Z"}\n',
  );
  const [entry] = await Array.fromAsync(readLog(path));
  assert.deepEqual(entry, { stream: "stderr", text: "<b> ü\r\n", time: "2026-11-23T18:27:58.123456789Z" });
});

test("torn, foreign and endless lines are left out", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  const foreign = ["not json", "null", "[]", '{"log":1}', '{"log":"a","stream":"x","time":"now"}'].join("\n");
  const endless = `{"log":"${"y".repeat(600_000)}","stream":"stdout","time":"2026-11-23T18:27:58.123456789Z"}`;
  await writeFile(path, `torn"}\n${line("a\n")}${foreign}\n${endless}\n${line("b\n")}{"log":"torn`);
  assert.deepEqual(await texts(readLog(path)), ["a", "b"]);
  assert.deepEqual(await texts(readLog(path, { tail: 2 })), ["a", "b"]);
});

test("no log is an empty log", async () => {
  await using dir = await openTempDir();
  assert.deepEqual(await texts(readLog(join(dir.path, "json.log"))), []);
});

test("what is written after the start is not part of a log that is not followed", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(path, lines(0, 5));
  const entries = readLog(path);
  const { value: first } = await entries.next();
  await appendFile(path, lines(5, 10));
  assert.deepEqual([first?.text.trimEnd(), ...(await texts(entries))], numbers(0, 5));
});

test("a followed log goes on over rotations until the container has ended, and misses nothing", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(path, lines(0, 10));
  const ended = Promise.withResolvers<void>();
  const reading = texts(readLog(path, { followUntil: ended.promise }));
  for (let from = 10; from < 2000; from += 10) {
    await appendFile(path, lines(from, from + 10));
    if (from % 250 === 0) await rotate(path);
  }
  ended.resolve();
  assert.deepEqual(await reading, numbers(0, 2000));
});

test("a half-written entry is waited for", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(path, line("a\n"));
  const ended = Promise.withResolvers<void>();
  const entries = readLog(path, { followUntil: ended.promise });
  assert.equal((await entries.next()).value?.text, "a\n");
  const next = entries.next();
  const text = line("whole\n");
  await appendFile(path, text.slice(0, 20));
  await appendFile(path, text.slice(20));
  assert.equal((await next).value?.text, "whole\n");
  ended.resolve();
  assert.equal((await entries.next()).done, true);
});

test("a log that does not exist yet can be followed", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  const ended = Promise.withResolvers<void>();
  const first = readLog(path, { followUntil: ended.promise }).next();
  await writeFile(path, line("there\n"));
  assert.equal((await first).value?.text, "there\n");
  await rm(path);
  ended.resolve();
  assert.deepEqual(await texts(readLog(path, { followUntil: ended.promise })), []);
});

test("following begins with the tail", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(path, lines(0, 10));
  const ended = Promise.withResolvers<void>();
  const reading = readLog(path, { tail: 2, followUntil: ended.promise });
  assert.equal((await reading.next()).value?.text, "8\n");
  await appendFile(path, lines(10, 12));
  ended.resolve();
  assert.deepEqual(await texts(reading), ["9", "10", "11"]);
});

test("a log that is emptied in place is followed from its new beginning", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(path, lines(0, 10));
  const ended = Promise.withResolvers<void>();
  const reading = readLog(path, { followUntil: ended.promise });
  for (const expected of numbers(0, 10)) assert.equal((await reading.next()).value?.text, `${expected}\n`);
  const next = reading.next();
  await truncate(path, 0);
  await appendFile(path, lines(90, 91));
  assert.equal((await next).value?.text, "90\n");
  ended.resolve();
  assert.equal((await reading.next()).done, true);
});

test("following ends with the first entry after its end, and when it is called off", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(path, lines(0, 10));
  const forever = new Promise<never>(() => {});
  const until = formatLogTime(5n * 10n ** 9n);
  assert.deepEqual(await texts(readLog(path, { until, followUntil: forever })), numbers(0, 5));
  const abort = new AbortController();
  const reading = readLog(path, { tail: 0, followUntil: forever, signal: abort.signal });
  const next = reading.next();
  abort.abort(new Error("the client went away"));
  await assert.rejects(next, { message: "the client went away" });
});

test("a reader that stops early keeps no file open", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "json.log");
  await writeFile(`${path}.1`, lines(0, 10));
  await writeFile(path, lines(10, 20));
  for await (const { text } of readLog(path, { followUntil: new Promise(() => {}) }))
    if (text === "3\n") break;
  const open = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
  );
  assert.deepEqual(
    open.filter((target) => target.startsWith(dir.path)),
    [],
  );
});
