import assert from "node:assert/strict";
import { test } from "node:test";
import { compareApiVersions, parseApiVersion } from "./version.ts";

test("API versions are compared by number, not by text", () => {
  const sorted = ["1.24", "1.9", "1.51", "2.0", "1.30"].map(parseApiVersion).toSorted(compareApiVersions);
  assert.deepEqual(sorted, ["1.9", "1.24", "1.30", "1.51", "2.0"]);
  assert.equal(compareApiVersions("1.41", "1.41"), 0);
});

test("what is no API version is refused", () => {
  for (const text of ["", "1", "1.", "v1.2", "1.2.3", "1.x", " 1.2", "99999.1"]) {
    assert.throws(() => parseApiVersion(text), { kind: "invalid-argument" }, text);
  }
});
