import { deepEqual, equal, throws } from "node:assert/strict";
import test from "node:test";
import { Container } from "./container.ts";
import { makeContainerRecord } from "./testing/container-record.ts";
import { parseWaitCondition, waitForContainer } from "./wait.ts";

test("not-running answers at once with the last exit, also of a container that never ran", async () => {
  const created = new Container(makeContainerRecord());
  deepEqual(await waitForContainer(created, "not-running"), { exitCode: 0 });
  const failed = new Container(makeContainerRecord({ state: { exitCode: 127, error: "no such file" } }));
  deepEqual(await waitForContainer(failed, "not-running"), { exitCode: 127, error: "no such file" });
});

test("next-exit waits for the run that comes, even when the container has run before", async () => {
  const container = new Container(makeContainerRecord({ state: { status: "exited", exitCode: 3 } }));
  let told: unknown;
  const waiting = waitForContainer(container, "next-exit").then((notice) => (told = notice));
  await Promise.resolve();
  equal(told, undefined);
  container.settleExit({ exitCode: 5 });
  await waiting;
  deepEqual(told, { exitCode: 5 });
});

test("a waiter of one run is not told the exit of the next", async () => {
  const container = new Container(makeContainerRecord({ state: { status: "running" } }));
  const first = waitForContainer(container, "not-running");
  container.settleExit({ exitCode: 1 });
  container.settleExit({ exitCode: 2 });
  deepEqual(await first, { exitCode: 1 });
});

test("parseWaitCondition() knows Docker's three words, and none means not-running", () => {
  equal(parseWaitCondition(""), "not-running");
  equal(parseWaitCondition("removed"), "removed");
  throws(() => parseWaitCondition("gone"), {
    kind: "invalid-argument",
    message: 'invalid condition: "gone"',
  });
});
