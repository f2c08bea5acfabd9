import assert from "node:assert/strict";
import { test } from "node:test";
import { swapIds } from "./owners.ts";

test("two ids change places, and every other id stays its own", () => {
  assert.equal(swapIds(1000, 0), "0 1000 1\n1 1 999\n1000 0 1\n1001 1001 4294966294");
  assert.equal(swapIds(5, 6), "0 0 5\n5 6 1\n6 5 1\n7 7 4294967288");
  assert.equal(swapIds(7, 7), "0 0 4294967295");
  for (const [one, other] of [
    [0, 1],
    [4294967294, 0],
    [33, 999],
  ] as const) {
    const counts = swapIds(one, other)
      .split("\n")
      .map((line) => Number(line.split(" ")[2]));
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      4294967295,
    );
  }
});
