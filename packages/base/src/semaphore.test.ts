import assert from "node:assert/strict";
import { test } from "node:test";
import { Semaphore } from "./semaphore.ts";

test("Semaphore lets in as many as there are places, in order, and skips who gave up", async () => {
  const semaphore = new Semaphore(1);
  const first = await semaphore.acquire();
  const seen: string[] = [];
  const controller = new AbortController();
  const given = semaphore.acquire(controller.signal);
  const second = semaphore.acquire().then((place) => {
    seen.push("second");
    return place;
  });
  const third = semaphore.acquire().then((place) => {
    seen.push("third");
    return place;
  });
  controller.abort(new Error("gave up"));
  await assert.rejects(given, /gave up/);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  assert.deepEqual(seen, ["second", "third"]);
  await assert.rejects(semaphore.acquire(AbortSignal.abort(new Error("already"))), /already/);
  (await semaphore.acquire())[Symbol.dispose]();
});

test("more places let those in who wait, fewer let nobody out", async () => {
  const semaphore = new Semaphore(1);
  const entered: string[] = [];
  const enter = async (name: string) => {
    const place = await semaphore.acquire();
    entered.push(name);
    return place;
  };
  const first = await enter("first");
  const [second, third] = [enter("second"), enter("third")];
  semaphore.resize(2);
  const secondPlace = await second;
  assert.deepEqual([...entered], ["first", "second"]);
  semaphore.resize(1);
  assert.equal(semaphore.isFull, true);
  first[Symbol.dispose]();
  await Promise.resolve();
  assert.deepEqual([...entered], ["first", "second"], "one is still in");
  secondPlace[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  assert.equal(semaphore.isFull, false);
  const last = await enter("last");
  assert.equal(semaphore.isFull, true);
  last[Symbol.dispose]();
});
