import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSourceLines } from "./source-range.ts";

test("formatSourceLines() shows as many lines around as buildx does", () => {
  const source = Array.from({ length: 1002 }, (_, at) => `line ${at + 1}`).join("\n");
  const shown = (firstLine: number, lastLine = firstLine) =>
    formatSourceLines(source, { name: "D", range: { firstLine, lastLine } })
      .split("\n")
      .slice(2, -1)
      .map((line) => line.replace(/ line.*/, ""));
  assert.deepEqual(shown(1), ["   1 | >>>", "   2 |    ", "   3 |    "]);
  assert.deepEqual(shown(5), ["   3 |    ", "   4 |    ", "   5 | >>>", "   6 |    ", "   7 |    "]);
  assert.deepEqual(shown(5, 6), ["   4 |    ", "   5 | >>>", "   6 | >>>", "   7 |    "]);
  assert.deepEqual(shown(1002), [" 1000 |    ", " 1001 |    ", " 1002 | >>>"]);
  assert.deepEqual(shown(1, 1002).length, 1002);
});

test("formatSourceLines() shows no more of a line than BuildKit takes", () => {
  const shown = formatSourceLines(`RUN ${"x".repeat(100_000)}`, {
    name: "D",
    range: { firstLine: 1, lastLine: 1 },
  });
  assert.ok(shown.length < 66_000, `${shown.length}`);
});
