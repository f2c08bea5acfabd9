import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeSkips, parseKnownSkips } from "./test-skips.ts";

const nothing = { skipped: [], ran: [], known: new Map<string, string>(), strict: true, complete: true };

test("known skips: comments and blank lines are not entries, a reason is wanted", () => {
  assert.deepEqual(
    [...parseKnownSkips("# words\n\na > b: needs a kernel: 7\n")],
    [["a > b", "needs a kernel: 7"]],
  );
  assert.throws(() => parseKnownSkips("a > b\n"), /a > b/);
});

test("a skip is a failure only where it is strict and not known", () => {
  assert.deepEqual(judgeSkips({ ...nothing, skipped: ["a"] }), ["skipped: a"]);
  assert.deepEqual(judgeSkips({ ...nothing, skipped: ["a"], strict: false }), []);
  assert.deepEqual(judgeSkips({ ...nothing, skipped: ["a"], known: new Map([["a", "why"]]) }), []);
});

test("an entry whose test ran, or is gone, is a failure", () => {
  const known = new Map([["a", "why"]]);
  assert.match(judgeSkips({ ...nothing, ran: ["a"], known }).join(), /"a", which runs/);
  assert.match(judgeSkips({ ...nothing, known }).join(), /"a", which does not exist/);
  assert.deepEqual(judgeSkips({ ...nothing, known, complete: false }), []);
});
