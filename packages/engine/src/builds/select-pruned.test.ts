import assert from "node:assert/strict";
import { test } from "node:test";
import type { BuildRecord } from "@hawser/store";
import { keptBytes, noRoom, selectPruned } from "./select-pruned.ts";

/** Ten bytes each, the first one unused the longest. */
const records = ["a", "b", "c", "d"].map(
  (key, at): BuildRecord => ({
    key,
    description: `step ${key}`,
    createdAtMs: 0,
    lastUsedMs: at,
    useCount: 1,
  }),
);

function select(options: Partial<Parameters<typeof selectPruned>[1]>): string {
  const all = {
    wanted: () => true,
    room: noRoom,
    freeBytes: 100,
    inUse: new Set<string>(),
    sizeOf: () => 10,
  };
  return selectPruned(records.toReversed(), { ...all, ...options })
    .map(({ key }) => key)
    .join("");
}

test("a prune takes the longest unused until what is left has room", () => {
  assert.equal(select({}), "abcd");
  assert.equal(select({ room: { ...noRoom, reservedBytes: 20 } }), "ab");
  assert.equal(select({ room: { ...noRoom, reservedBytes: 25 } }), "ab");
  assert.equal(select({ room: { ...noRoom, reservedBytes: 40 } }), "");
  assert.equal(select({ room: { ...noRoom, maxUsedBytes: 30 } }), "a");
  assert.equal(select({ room: { ...noRoom, minFreeBytes: 115 } }), "ab");
  assert.equal(select({ room: { ...noRoom, reservedBytes: 20 }, wanted: ({ id }) => id !== "a" }), "bc");
});

test("what a build uses stays, and counts", () => {
  const inUse = new Set(["a", "c"]);
  assert.equal(select({ inUse }), "bd");
  assert.equal(select({ inUse, room: { ...noRoom, maxUsedBytes: 30 } }), "b");
});

test("what is reserved stays whatever the disk needs", () => {
  const room = { reservedBytes: 30, maxUsedBytes: 10, minFreeBytes: 1000 };
  assert.equal(keptBytes(room, { usedBytes: 40, freeBytes: 0 }), 30);
  assert.equal(keptBytes({ ...room, reservedBytes: 0 }, { usedBytes: 40, freeBytes: 0 }), 0);
});
