import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDurationNs, parseDuration } from "./go-duration.ts";

test("durations are written as Go does, and read again", () => {
  for (const text of ["0s", "7ns", "10µs", "200ms", "1.5s", "1m30s", "1h0m0s"]) {
    const read = parseDuration(text);
    assert.equal("ns" in read && formatDurationNs(read.ns), text);
  }
  for (const [text, ns] of [
    ["0", 0],
    ["-0s", 0],
    ["+.5ms", 5e5],
    ["-1m", -60e9],
    ["1.h", 3600e9],
  ] as const) {
    assert.deepEqual(parseDuration(text), { ns }, text);
  }
});

test("what is no duration is told in the words of Go's parser", () => {
  for (const [text, problem] of [
    ["", 'time: invalid duration ""'],
    ["-", 'time: invalid duration "-"'],
    ["nope", 'time: invalid duration "nope"'],
    ["1m.s", 'time: invalid duration "1m.s"'],
    ["5", 'time: missing unit in duration "5"'],
    ["1h5", 'time: missing unit in duration "1h5"'],
    ["1d", 'time: unknown unit "d" in duration "1d"'],
    ["3 s", 'time: unknown unit " s" in duration "3 s"'],
    ["9999999999h", 'time: invalid duration "9999999999h"'],
  ] as const) {
    assert.deepEqual(parseDuration(text), { problem }, text);
  }
});
