import assert from "node:assert/strict";
import { test } from "node:test";
import type { KeptRecord } from "./kept-records.ts";
import { keptBytes, noRoom, selectPruned } from "./select-pruned.ts";

/** Ten bytes each, the first one unused the longest. */
const records = ["a", "b", "c", "d"].map(
  (key, at): KeptRecord => ({
    key,
    description: `step ${key}`,
    createdAtMs: 0,
    lastUsedMs: at,
    useCount: 1,
    sizeBytes: 10,
    isInUse: false,
    isShared: false,
  }),
);

function select(
  options: Partial<Parameters<typeof selectPruned>[1]>,
  traits: (key: string) => Partial<KeptRecord> = () => ({}),
): string {
  const all = { wanted: () => true, room: noRoom, freeBytes: 100 };
  const given = records.toReversed().map((record) => ({ ...record, ...traits(record.key) }));
  return selectPruned(given, { ...all, ...options })
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
  const used = (key: string) => ({ isInUse: "ac".includes(key) });
  assert.equal(select({}, used), "bd");
  assert.equal(select({ room: { ...noRoom, maxUsedBytes: 30 } }, used), "b");
});

test("what images share counts for nothing", () => {
  const shared = (key: string) => ({ isShared: "ac".includes(key) });
  const wanted: Parameters<typeof selectPruned>[1]["wanted"] = ({ isShared }) => !isShared;
  assert.equal(select({ wanted }, shared), "bd");
  assert.equal(select({ wanted, room: { ...noRoom, maxUsedBytes: 20 } }, shared), "");
  assert.equal(select({ wanted, room: { ...noRoom, maxUsedBytes: 10 } }, shared), "b");
  assert.equal(select({ room: { ...noRoom, maxUsedBytes: 10 } }, shared), "ab");
});

test("what is reserved stays whatever the disk needs", () => {
  const room = { reservedBytes: 30, maxUsedBytes: 10, minFreeBytes: 1000 };
  assert.equal(keptBytes(room, { usedBytes: 40, freeBytes: 0 }), 30);
  assert.equal(keptBytes({ ...room, reservedBytes: 0 }, { usedBytes: 40, freeBytes: 0 }), 0);
});
