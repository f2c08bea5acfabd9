import assert from "node:assert/strict";
import { appendFile, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { deliverLog } from "./deliver-log.ts";
import type { LogDestination } from "./drivers/log-driver.ts";
import { formatLogTime } from "./log-entry.ts";

const lines = (...texts: readonly string[]) =>
  texts
    .map((text) => `${JSON.stringify({ log: `${text}\n`, stream: "stdout", time: formatLogTime(5n) })}\n`)
    .join("");

/** A log, and a receiver that can be away. */
async function openDelivery() {
  const dir = await openTempDir();
  const path = join(dir.path, "json.log");
  const positionPath = join(dir.path, "delivered");
  const received: string[] = [];
  const troubles: (string | undefined)[] = [];
  let isAway = false;
  let opened = 0;
  let heard = Promise.withResolvers<void>();
  const open = async (): Promise<LogDestination> => {
    if (isAway) throw new Error("nobody is there");
    opened += 1;
    return {
      async send(messages) {
        if (isAway) throw new Error("it has gone");
        received.push(...messages.map(({ text }) => text));
        heard.resolve();
      },
      async [Symbol.asyncDispose]() {
        opened -= 1;
      },
    };
  };
  const run = (over: Promise<unknown>, signal = new AbortController().signal) =>
    deliverLog({
      path,
      positionPath,
      open,
      over,
      signal,
      tell: (trouble) => troubles.push(trouble?.message),
    });
  return {
    path,
    positionPath,
    received,
    troubles,
    run,
    get opened() {
      return opened;
    },
    leave: (away: boolean) => {
      isAway = away;
    },
    async hear(count: number) {
      while (received.length < count) {
        heard = Promise.withResolvers();
        if (received.length < count) await heard.promise;
      }
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

test("what is written comes until it is over, over rotations too", async () => {
  await using log = await openDelivery();
  const over = Promise.withResolvers<void>();
  const running = log.run(over.promise);
  await writeFile(log.path, lines("1"));
  await log.hear(1);
  await appendFile(log.path, lines("2"));
  await rename(log.path, `${log.path}.1`);
  await writeFile(log.path, lines("3"));
  await log.hear(3);
  await appendFile(log.path, lines("4"));
  over.resolve();
  await running;
  assert.deepEqual(log.received, ["1", "2", "3", "4"]);
  assert.equal(log.opened, 0);
});

test("the next delivery goes on where the last one came to", async () => {
  await using log = await openDelivery();
  await writeFile(log.path, lines("1", "2"));
  await log.run(Promise.resolve());
  await log.run(Promise.resolve());
  await appendFile(log.path, lines("3"));
  await rename(log.path, `${log.path}.1`);
  await writeFile(log.path, lines("4"));
  await log.run(Promise.resolve());
  assert.deepEqual(log.received, ["1", "2", "3", "4"]);
});

test("a position that is nonsense, or of a file that is gone, is the beginning", async () => {
  await using log = await openDelivery();
  await writeFile(log.path, lines("1"));
  for (const position of ["nonsense", "1 99\n", ""]) {
    await writeFile(log.positionPath, position);
    await log.run(Promise.resolve());
  }
  assert.deepEqual(log.received, ["1", "1", "1"]);
});

test("a receiver that is away costs nothing but time", async () => {
  await using log = await openDelivery();
  const over = Promise.withResolvers<void>();
  await writeFile(log.path, lines("1"));
  const running = log.run(over.promise);
  await log.hear(1);
  log.leave(true);
  await appendFile(log.path, lines("2", "3"));
  while (log.troubles.length === 0) await new Promise((resolve) => setImmediate(resolve));
  log.leave(false);
  over.resolve();
  await running;
  assert.deepEqual(log.received, ["1", "2", "3"]);
  assert.deepEqual(log.troubles, ["it has gone", undefined]);
});

test("one that is stopped keeps its place", async () => {
  await using log = await openDelivery();
  await writeFile(log.path, lines("1"));
  const stop = new AbortController();
  const running = log.run(new Promise(() => {}), stop.signal);
  await log.hear(1);
  log.leave(true);
  await appendFile(log.path, lines("2"));
  while (log.troubles.length === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error("enough"));
  await assert.rejects(running);
  assert.match(await readFile(log.positionPath, "utf8"), /^\d+ \d+\n$/);
  assert.equal(log.opened, 0);
  log.leave(false);
  await log.run(Promise.resolve());
  assert.deepEqual(log.received, ["1", "2"]);
});
