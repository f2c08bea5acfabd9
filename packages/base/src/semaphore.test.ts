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
