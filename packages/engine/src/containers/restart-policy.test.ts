import assert from "node:assert/strict";
import { test } from "node:test";
import { nextRestartDelay, shouldRestart } from "./restart-policy.ts";

test("the pause doubles from 100 ms to a minute", () => {
  const delays: number[] = [];
  for (let delay = 0; delays.length < 12; ) delays.push((delay = nextRestartDelay(delay, 50)));
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
});

test("a run of ten seconds makes it short again", () => {
  assert.equal(nextRestartDelay(6400, 9999), 12_800);
  assert.equal(nextRestartDelay(6400, 10_000), 100);
});

const policy = (name: Parameters<typeof shouldRestart>[0]["name"], maximumRetryCount = 0) => ({
  name,
  maximumRetryCount,
});
const failed = { exitCode: 1, restartCount: 0, stoppedByUser: false };

test("each policy decides by how the run ended", () => {
  const stopped = { ...failed, stoppedByUser: true };
  const well = { ...failed, exitCode: 0 };
  const table = (["no", "always", "unless-stopped", "on-failure"] as const).map((name) =>
    [failed, well, stopped].map((run) => shouldRestart(policy(name), run)),
  );
  assert.deepEqual(table, [
    [false, false, false],
    [true, true, true],
    [true, true, false],
    [true, false, true],
  ]);
});

test("on-failure gives up after its retries", () => {
  assert.equal(shouldRestart(policy("on-failure", 3), { ...failed, restartCount: 2 }), true);
  assert.equal(shouldRestart(policy("on-failure", 3), { ...failed, restartCount: 3 }), false);
});
