import assert from "node:assert/strict";
import test from "node:test";
import { compareNaturally } from "./natural-order.ts";

test("numbers in names count as numbers, everything else by its bytes", () => {
  const sorted = ["", "0.0.0.0:80", "2", "10", "B", "[::]:80", "a", "a2", "a10", "a10b", "aa", "é"];
  assert.deepEqual(sorted.toReversed().toSorted(compareNaturally), sorted);
});
