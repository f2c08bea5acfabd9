import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Fault } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { ReadyPool } from "./ready-pool.ts";

/** A pool of numbers whose making the test finishes by hand. */
function openPool(options: {
  readonly size: number;
  readonly concurrency?: number;
  readonly refillDelayMs?: number;
}) {
  const pending: PromiseWithResolvers<number>[] = [];
  const discarded: number[] = [];
  const errors: unknown[] = [];
  const pool = new ReadyPool<number>({
    concurrency: 2,
    refillDelayMs: 1,
    ...options,
    make: () => {
      const one = Promise.withResolvers<number>();
      pending.push(one);
      return one.promise;
    },
    discard: (item) => discarded.push(item),
    onError: (error) => errors.push(error),
  });
  const finish = async (item: number | Error) => {
    const one = await eventually(() => pending.shift());
    if (item instanceof Error) one.reject(item);
    else one.resolve(item);
  };
  return { pool, pending, discarded, errors, finish };
}

test("fills itself to its size, no more than some at a time, and again after a take", async () => {
  const { pool, pending, finish } = openPool({ size: 3 });
  assert.equal(pending.length, 2);
  for (const item of [1, 2, 3]) await finish(item);
  await turn();
  assert.equal(pending.length, 0);
  assert.deepEqual([await pool.acquire(), await pool.acquire()], [1, 2]);
  await finish(4);
  await finish(5);
  await turn();
  assert.deepEqual([await pool.acquire(), await pool.acquire(), await pool.acquire()], [3, 4, 5]);
});

test("refills a while after a take, and at once when empty", async () => {
  const { pool, pending, finish } = openPool({ size: 2, refillDelayMs: 1_000_000 });
  await finish(1);
  await finish(2);
  await turn();
  assert.equal(await pool.acquire(), 1);
  assert.equal(pending.length, 0);
  assert.equal(await pool.acquire(), 2);
  assert.equal(pending.length, 2);
});

test("who finds it empty waits, first come first served, and more is made at once", async () => {
  const { pool, finish } = openPool({ size: 1, refillDelayMs: 1_000_000 });
  const waiting = [pool.acquire(), pool.acquire(), pool.acquire()];
  for (const item of [1, 2, 3, 4]) await finish(item);
  assert.deepEqual(await Promise.all(waiting), [1, 2, 3]);
  assert.equal(await pool.acquire(), 4);
  await finish(5);
  assert.equal(await pool.acquire(), 5);
});

test("a failure is one waiter's; the others get a try of their own", async () => {
  const { pool, finish, errors } = openPool({ size: 0, concurrency: 1 });
  const [first, second] = [pool.acquire(), pool.acquire()];
  await finish(new Error("no"));
  await assert.rejects(first, /no/);
  await finish(2);
  assert.equal(await second, 2);
  assert.deepEqual(errors, []);
});

test("failing ahead is reported and not repeated until somebody asks", async () => {
  const { pool, pending, finish, errors } = openPool({ size: 2, concurrency: 1 });
  await finish(new Error("no"));
  await eventually(() => errors.length === 1);
  assert.equal(pending.length, 0);
  const asked = pool.acquire();
  await finish(1);
  assert.equal(await asked, 1);
});

test("who gives up does not take one from the others", async () => {
  const { pool, finish } = openPool({ size: 0, concurrency: 1 });
  const giveUp = new AbortController();
  const [gone, stays] = [pool.acquire(giveUp.signal), pool.acquire()];
  giveUp.abort(new Error("gone"));
  await assert.rejects(gone, /gone/);
  await assert.rejects(pool.acquire(giveUp.signal), /gone/);
  await finish(1);
  assert.equal(await stays, 1);
});

test("takes the one that fits of those that are ready or being made, and no other", async () => {
  const { pool, finish } = openPool({ size: 2, refillDelayMs: 1_000_000 });
  const wanted = pool.takeIf((item) => item === 2);
  await finish(1);
  await finish(2);
  assert.equal(await wanted, 2);
  assert.equal(await pool.takeIf((item) => item === 2), undefined);
  assert.equal(await pool.takeIf((item) => item === 1), 1);
});

test("closing discards what is ready and what is still being made, and refuses who waits", async () => {
  const { pool, finish, discarded, pending } = openPool({ size: 2, concurrency: 1 });
  await finish(1);
  await eventually(() => pending.length === 1);
  await pool.acquire();
  const waiting = pool.acquire();
  const refused = assert.rejects(waiting, (error) => Fault.is(error, "unavailable"));
  const closing = pool[Symbol.asyncDispose]();
  await refused;
  await finish(2);
  await closing;
  assert.deepEqual(discarded, [2]);
  await assert.rejects(pool.acquire(), (error) => Fault.is(error, "unavailable"));
  assert.equal(pending.length, 0);
});
