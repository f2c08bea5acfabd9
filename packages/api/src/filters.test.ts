import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatFilters, matchesLabels, parseFilters } from "./filters.ts";

describe("filters", () => {
  test("are read in both of Docker's forms", () => {
    for (const text of ['{"label":["a","b=c"]}', '{"label":{"a":true,"b=c":false}}']) {
      assert.deepEqual([...parseFilters(text, ["label"])], [["label", ["a", "b=c"]]]);
    }
    for (const text of [undefined, "", "null", "{}"]) assert.equal(parseFilters(text, []).size, 0);
    assert.deepEqual([...parseFilters('{"label":null}', ["label"])], [["label", []]]);
  });

  test("come back from what format made", () => {
    const filters = new Map([
      ["label", ["__proto__", "a=b"]],
      ["status", ["exited"]],
    ]);
    assert.deepEqual(parseFilters(formatFilters(filters), ["label", "status"]), filters);
    assert.equal(formatFilters(new Map()), undefined);
  });

  for (const text of [
    "x",
    "[]",
    '"a"',
    '{"label":"a"}',
    '{"label":[1]}',
    '{"label":{"a":1}}',
    '{"other":[]}',
  ]) {
    test(`${text} is refused`, () => {
      assert.throws(() => parseFilters(text, ["label"]), { kind: "invalid-argument" });
    });
  }

  test("of labels must all hold", () => {
    const labels = { a: "1", b: "" };
    for (const [wanted, expected] of [
      [undefined, true],
      [["a"], true],
      [["a=1", "b"], true],
      [["a=2"], false],
      [["a", "c"], false],
      [["b="], true],
      [["toString"], false],
    ] as const) {
      assert.equal(matchesLabels(labels, wanted), expected, String(wanted));
    }
  });
});
