import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { WorkerStock } from "./worker-stock.ts";

/** Says its thread's number whenever it is told something. */
const echo = new URL(
  `data:text/javascript,${encodeURIComponent(
    `import { parentPort, threadId } from "node:worker_threads";
     parentPort.on("message", () => parentPort.postMessage(threadId));`,
  )}`,
);

test("who has done his work waits for more, as many as work at once, and not for long", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const stock = new WorkerStock(echo, { name: "echo", size: 1, kept: 2 });
  const workers = [stock.take(), stock.take(), stock.take()];
  for (const worker of workers) {
    worker.postMessage("hello");
    await once(worker, "message");
  }
  const [first, second, third] = workers;
  for (const worker of workers) await stock.give(worker);
  assert.equal(third?.threadId, -1, "there is no room for a third one");
  const again = [stock.take(), stock.take()];
  assert.deepEqual(new Set(again), new Set([first, second]));
  for (const worker of again) {
    worker.postMessage("hello");
    assert.deepEqual(await once(worker, "message"), [worker.threadId]);
    await stock.give(worker);
  }
  const ended = again.map((worker) => once(worker, "exit"));
  t.mock.timers.tick(5000);
  await Promise.race(ended);
  assert.equal(again.filter(({ threadId }) => threadId !== -1).length, 1, "one may be wanted again");
  t.mock.timers.tick(60_000);
  await Promise.all(ended);
});

test("one that was started before it is taken waits for its work, and not for long", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const started: Worker[] = [];
  const note = (worker: Worker) => void started.push(worker);
  process.on("worker", note);
  t.after(() => process.off("worker", note));
  const stock = new WorkerStock(echo, { name: "echo", size: 1 });
  stock.warm();
  stock.warm();
  const worker = stock.take();
  worker.postMessage("hello");
  assert.deepEqual(await once(worker, "message"), [worker.threadId]);
  stock.warm(); // as many work as may
  assert.deepEqual(started, [worker]);
  await worker.terminate();
  stock.warm();
  await setImmediate();
  const [, next] = started;
  assert.ok(next !== undefined && started.length === 2);
  const ended = once(next, "exit");
  t.mock.timers.tick(5000);
  t.mock.timers.tick(60_000);
  await ended;
});
