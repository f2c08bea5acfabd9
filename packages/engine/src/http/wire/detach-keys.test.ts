import { deepEqual, throws } from "node:assert/strict";
import test from "node:test";
import { Fault } from "@hawser/base";
import { decodeDetachKeys } from "./detach-keys.ts";

test("decodeDetachKeys() gives the bytes that a terminal sends", () => {
  deepEqual([...decodeDetachKeys("")], [16, 17]);
  deepEqual([...decodeDetachKeys("ctrl-a,a")], [1, 97]);
  deepEqual([...decodeDetachKeys("ctrl-@,ctrl-[,ctrl-\\,ctrl-_")], [0, 27, 28, 31]);
});

test("decodeDetachKeys() refuses what no terminal sends as one byte", () => {
  for (const text of ["ctrl-1", "ab", "ctrl-a,", "é"]) {
    throws(
      () => decodeDetachKeys(text),
      (error) => Fault.is(error, "invalid-argument"),
    );
  }
});
