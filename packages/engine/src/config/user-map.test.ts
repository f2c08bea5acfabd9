import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseUserMap } from "./user-map.ts";

const texts = {
  passwd: "root:x:0:0::/:\nann:x:1000:1000::/:\n",
  group: "root:x:0:\nstaff:x:50:\n",
  subuid: "ann:100000:65536\nben:300000:10\nann:200000:1000\ndockremap:400000:65536\n",
  subgid: "staff:500000:65536\n1000:600000:65536\nann:700000:65536\ndockremap:400000:65536\n",
};

describe("userns-remap", () => {
  test("gives a user's ranges, one after the other", () => {
    assert.deepEqual(parseUserMap("ann", texts).uids, [
      { inside: 0, outside: 100000, count: 65536 },
      { inside: 65536, outside: 200000, count: 1000 },
    ]);
  });

  test("knows users and groups by number, and ranges of numbers", () => {
    assert.deepEqual(parseUserMap("1000:50", texts).uids, parseUserMap("ann", texts).uids);
    assert.deepEqual(parseUserMap("ann:50", texts).gids, [{ inside: 0, outside: 500000, count: 65536 }]);
  });

  test("has Docker's own user as default", () => {
    const range = { inside: 0, outside: 400000, count: 65536 };
    assert.deepEqual(parseUserMap("default", texts), { uids: [range], gids: [range] });
  });

  for (const [text, why] of [
    ["carl", /\/etc\/subuid has no range for carl/],
    ["ann:carl", /\/etc\/subgid has no range for carl/],
    ["ann:", /user:group/],
    ["a:b:c", /user:group/],
  ] as const) {
    test(`refuses ${text}`, () => {
      assert.throws(() => parseUserMap(text, texts), { kind: "invalid-argument", message: why });
    });
  }

  for (const line of ["ann:0:65536", "ann:nope:5", "ann:100000:0", "ann:4294967295:5", "ann:-5:5", "ann:5"]) {
    test(`refuses a range ${line}`, () => {
      assert.throws(() => parseUserMap("ann", { ...texts, subuid: line }), {
        message: /\/etc\/subuid has "ann/,
      });
    });
  }
});
