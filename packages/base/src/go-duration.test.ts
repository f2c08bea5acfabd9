import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDurationNs, parseDurationNs } from "./go-duration.ts";

test("durations are written as Go does, and read again", () => {
  for (const text of ["0s", "7ns", "10µs", "200ms", "1.5s", "1m30s", "1h0m0s"])
    assert.equal(formatDurationNs(parseDurationNs(text) ?? Number.NaN), text);
  assert.deepEqual(
    [parseDurationNs("0"), parseDurationNs("-1m"), parseDurationNs("5")],
    [0, -60e9, undefined],
  );
});
