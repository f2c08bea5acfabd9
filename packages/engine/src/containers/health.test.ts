import assert from "node:assert/strict";
import { test } from "node:test";
import type { Healthcheck } from "@hawser/runtime";
import { containerConfigCodec } from "../http/wire/container-config.ts";
import { applyProbe, beginHealth, type Health, type ProbePlan, probePauseMs, probePlanOf } from "./health.ts";
import { ProbeOutput } from "./probe-output.ts";

const planOf = (healthcheck: object, shell?: readonly string[]) =>
  probePlanOf(containerConfigCodec.decode({ Healthcheck: healthcheck, ...(shell && { Shell: shell }) }, ""));
const plan: ProbePlan = {
  command: ["true"],
  intervalMs: 1000,
  timeoutMs: 100,
  startPeriodMs: 5000,
  startIntervalMs: 200,
  retries: 2,
};
const probe = (startedAtMs: number, exitCode: number) => ({
  startedAtMs,
  endedAtMs: startedAtMs + 1,
  exitCode,
  output: "",
});

/** What becomes of a container that started at 0 when its probes end so, at these times. */
function live(...probes: readonly (readonly [atMs: number, exitCode: number])[]): Health {
  return probes.reduce(
    (health, [atMs, exitCode]) => applyProbe(health, probe(atMs, exitCode), { plan, runStartedAtMs: 0 }),
    beginHealth(undefined),
  );
}

test("without a command nothing is probed", () => {
  assert.equal(probePlanOf(containerConfigCodec.decode({}, "")), undefined);
  for (const words of [[], ["NONE"], ["OTHER", "x"]]) assert.equal(planOf({ Test: words }), undefined);
});

test("a check has Docker's defaults", () => {
  assert.deepEqual(planOf({ Test: ["CMD", "a", "b c"] }), {
    command: ["a", "b c"],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    startPeriodMs: 0,
    startIntervalMs: 5000,
    retries: 3,
  });
});

test("CMD-SHELL goes through the image's shell, else sh", () => {
  assert.deepEqual(planOf({ Test: ["CMD-SHELL", "a b"] })?.command, ["/bin/sh", "-c", "a b"]);
  assert.deepEqual(planOf({ Test: ["CMD-SHELL", "a b"] }, ["/bin/ash", "-ec"])?.command, [
    "/bin/ash",
    "-ec",
    "a b",
  ]);
  const partial = { test: ["CMD", "x"] } as unknown as Healthcheck;
  const config = { ...containerConfigCodec.decode({}, ""), healthcheck: partial };
  assert.equal(probePlanOf(config)?.retries, 3);
});

test("one success is health, retries in a row are the end of it", () => {
  assert.equal(live([6000, 1]).status, "starting");
  assert.equal(live([6000, 1], [7000, 1]).status, "unhealthy");
  assert.equal(live([6000, 1], [7000, 0]).status, "healthy");
  assert.equal(live([6000, 0], [7000, 1]).status, "healthy");
  assert.equal(live([6000, 0], [7000, 1], [8000, 1]).status, "unhealthy");
  assert.equal(live([6000, 1], [7000, 1], [8000, 0]).failingStreak, 0);
});

test("failures of the start period do not count, until the first success", () => {
  assert.deepEqual(live([100, 1], [200, 1], [4999, -1]).failingStreak, 0);
  assert.equal(live([100, 1], [5000, 1]).failingStreak, 1);
  assert.equal(live([100, 0], [200, 1], [300, 1]).status, "unhealthy");
});

test("the last five results are kept, over restarts too", () => {
  const health = live([1, 1], [2, 1], [3, 1], [4, 1], [5, 1], [6, 1]);
  assert.deepEqual(
    health.log.map(({ startedAtMs }) => startedAtMs),
    [2, 3, 4, 5, 6],
  );
  assert.deepEqual(beginHealth(health), { status: "starting", failingStreak: 0, log: health.log });
});

test("probes are closer together while it starts", () => {
  assert.equal(probePauseMs(plan, { status: "starting", ranMs: 4999 }), 200);
  assert.equal(probePauseMs(plan, { status: "starting", ranMs: 5000 }), 1000);
  // Who says when it was started may have a clock that is a little ahead.
  assert.equal(probePauseMs({ ...plan, startPeriodMs: 0 }, { status: "starting", ranMs: -1 }), 1000);
  assert.equal(probePauseMs(plan, { status: "healthy", ranMs: 10 }), 1000);
});

test("4096 bytes of output are kept, and that it was more is told", () => {
  const output = new ProbeOutput();
  output.push(Buffer.from("a".repeat(4000)));
  assert.equal(output.text().length, 4000);
  output.push(Buffer.from("b".repeat(4000)));
  output.push(Buffer.from("c"));
  assert.equal(output.text(), `${"a".repeat(4000)}${"b".repeat(96)}...`);
});
