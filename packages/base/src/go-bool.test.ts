import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGoBool } from "./go-bool.ts";

test("what Go reads as a truth, and nothing else", () => {
  for (const text of ["1", "t", "T", "TRUE", "true", "True"]) assert.equal(parseGoBool(text), true, text);
  for (const text of ["0", "f", "F", "FALSE", "false", "False"]) assert.equal(parseGoBool(text), false, text);
  for (const text of ["", "yes", "tRUE", " 1", "01", "constructor"])
    assert.equal(parseGoBool(text), undefined, text);
});
