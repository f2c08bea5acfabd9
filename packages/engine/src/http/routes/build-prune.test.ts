import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiVersion, compareApiVersions } from "@hawser/api";
import type { PruneCandidate } from "../../builds/select-pruned.ts";
import { Query } from "../query.ts";
import { readBuildPrune } from "./build-prune.ts";

const nowMs = Date.parse("2026-01-01T12:00:00Z");
const read = (query: Readonly<Record<string, string>>, version: ApiVersion = "1.51") =>
  readBuildPrune(
    {
      query: new Query(new URLSearchParams(query).toString()),
      atLeast: (wanted) => compareApiVersions(version, wanted) >= 0,
    },
    nowMs,
  );
const filtered = (filters: object) => read({ filters: JSON.stringify(filters) }).wanted;
const refused = (query: Readonly<Record<string, string>>) => {
  try {
    read(query);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
};
const candidate = (agoMs: number): PruneCandidate => ({
  id: "abc",
  description: "exec true",
  type: "regular",
  isShared: false,
  isInUse: false,
  lastUsedMs: nowMs - agoMs,
});

test("sizes are bytes, by the names that the version has", () => {
  const query = { "keep-storage": "1", "reserved-space": "2", "max-used-space": "3", "min-free-space": "4" };
  assert.deepEqual(read(query).room, { reservedBytes: 2, maxUsedBytes: 3, minFreeBytes: 4 });
  assert.deepEqual(read(query, "1.47").room, { reservedBytes: 1, maxUsedBytes: 0, minFreeBytes: 0 });
  assert.equal(read({ "keep-storage": "5" }).room.reservedBytes, 5);
  assert.equal(read({ "reserved-space": "0", "keep-storage": "+6" }).room.reservedBytes, 6);
});

test("refusals have Docker's words", () => {
  const integer = (name: string, text: string, why = "invalid syntax") =>
    `${name} is in bytes and expects an integer, got ${text}: strconv.Atoi: parsing "${text}": ${why}`;
  assert.equal(refused({ "keep-storage": "nope" }), integer("keep-storage", "nope"));
  assert.equal(refused({ "max-used-space": "1.5" }), integer("max-used-space", "1.5"));
  const large = "99999999999999999999";
  assert.equal(refused({ "min-free-space": large }), integer("min-free-space", large, "value out of range"));
  assert.equal(refused({ "reserved-space": "5", "keep-storage": "nope" }), "");
  const moment = (name: string, text: string) =>
    `"${name}" filter expects a duration (e.g., '24h') or a timestamp: failed to parse value as time or duration: "${text}"`;
  for (const [filters, words] of [
    [{ until: ["1d"] }, moment("until", "1d")],
    [{ until: [""] }, moment("until", "")],
    [{ "unused-for": ["1x"] }, moment("unused-for", "1x")],
    [{ until: ["1h", "2h"] }, "filters expect only one value"],
    [{ inuse: ["a", "b"] }, "filters expect only one value"],
    [{ until: ["1h"], "unused-for": ["2h"] }, 'conflicting filters: "until" and "unused-for"'],
    [{ nope: ["1h"] }, "invalid filter 'nope'"],
  ] as const) {
    assert.equal(refused({ filters: JSON.stringify(filters) }), `failed to prune build cache: ${words}`);
  }
});

test("what images share goes only with all", () => {
  const shared = { ...candidate(0), isShared: true };
  for (const [query, isWanted] of [
    [{}, false],
    [{ all: "0" }, false],
    [{ filters: JSON.stringify({ shared: ["true"] }) }, false],
    [{ all: "1", filters: JSON.stringify({ shared: ["true"] }) }, true],
    [{ all: "1", filters: JSON.stringify({ private: ["true"] }) }, false],
    [{ all: "1" }, true],
  ] as const) {
    assert.equal(read(query).wanted(shared), isWanted, JSON.stringify(query));
  }
});

test("filters tell kept results apart", () => {
  for (const until of ["1h", "1.5h30us", "2026-01-01T10:00:00Z", String(nowMs / 1000 - 3600)]) {
    const wanted = filtered({ until: [until] });
    assert.deepEqual(
      [2 * 3_600_000, 60_000].map((ago) => wanted(candidate(ago))),
      [true, false],
      until,
    );
  }
  for (const [filters, isWanted] of [
    [{ id: ["b"], description: ["exec true"], type: ["regular"], inuse: ["false"], private: ["true"] }, true],
    [{ type: ["source.local"] }, false],
    [{ shared: [""] }, false],
    [{ parent: ["x"] }, false],
  ] as const) {
    assert.equal(filtered(filters)(candidate(0)), isWanted, JSON.stringify(filters));
  }
});
