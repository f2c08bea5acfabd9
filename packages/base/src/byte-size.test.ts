import assert from "node:assert/strict";
import { test } from "node:test";
import { parseByteSize } from "./byte-size.ts";

test("sizes are as Docker's options have them", () => {
  const sizes = { "64": 64, "10m": 10 << 20, "1.5GiB": 1536 * 2 ** 20, "2 kB": 2048, "7b": 7, "0": 0 };
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseByteSize(text), bytes, text);
  assert.equal(parseByteSize("10k", 1000), 10_000);
  for (const text of ["", "-1", "m", "1x", "1  k", "1ki", "0x10", "1e3"])
    assert.equal(parseByteSize(text), undefined, text);
});
