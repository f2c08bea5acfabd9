import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container } from "../../containers/container.ts";
import { parsePruneFilter } from "./prune-filter.ts";

const nowMs = Date.parse("2026-01-01T12:00:00Z");
const container = (agoMs: number, labels: Readonly<Record<string, string>> = {}) =>
  ({ record: { createdAtMs: nowMs - agoMs, config: { labels } } }) as unknown as Container;
const takes = (filters: object, ...containers: readonly Container[]) =>
  containers.map(parsePruneFilter(JSON.stringify(filters), nowMs));

test("until takes what is older than a duration, a moment or a date", () => {
  const both = [container(3_600_001), container(60_000)];
  for (const until of ["1h", "30m30s", "3600000ms", "2026-01-01T11:00:00Z", String(nowMs / 1000 - 3600)]) {
    assert.deepEqual(takes({ until: [until] }, ...both), [true, false], until);
  }
  assert.throws(() => parsePruneFilter('{"until":["soon"]}', nowMs), { kind: "invalid-argument" });
});

test("labels are wanted or unwanted", () => {
  const both = [container(0, { a: "1" }), container(0, { b: "" })];
  assert.deepEqual(takes({ label: ["a=1"] }, ...both), [true, false]);
  assert.deepEqual(takes({ "label!": ["a"] }, ...both), [false, true]);
  assert.deepEqual(takes({}, ...both), [true, true]);
  assert.throws(() => parsePruneFilter('{"status":["x"]}', nowMs), { kind: "invalid-argument" });
});
