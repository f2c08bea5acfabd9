import { equal, match, notEqual } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { createContainerId, createContainerName, isContainerName } from "./names.ts";

test("createContainerId() gives 64 hexadecimal digits that cannot be taken for a number when cut short", () => {
  const draws = [Buffer.alloc(32, 0x11), Buffer.alloc(32, 0xab)];
  const id = createContainerId(() => draws.shift() ?? randomBytes(32));
  equal(id, "ab".repeat(32));
});

test("createContainerName() gives a name that Docker's rule allows, and another one after a clash", () => {
  for (let byte = 0; byte < 256; byte++) {
    const name = createContainerName(() => Uint8Array.of(byte, 255 - byte, byte), 0);
    match(name, /^[a-z]+_[a-z]+$/);
    equal(isContainerName(name), true, name);
  }
  const fixed = () => Uint8Array.of(1, 2, 3);
  notEqual(createContainerName(fixed, 1), createContainerName(fixed, 0));
});

test("isContainerName() follows Docker's rule", () => {
  for (const name of ["ab", "a_b", "0-1", "A.b"]) equal(isContainerName(name), true, name);
  for (const name of ["", "a", "-ab", "_ab", ".ab", "a/b", "a b", "ä1"])
    equal(isContainerName(name), false, name);
});
