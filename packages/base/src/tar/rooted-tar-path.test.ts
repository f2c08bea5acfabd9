import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../fault.ts";
import { rootedTarPath, tarPathBytes } from "./rooted-tar-path.ts";

test("rootedTarPath() makes names relative to the folder and clean", () => {
  const cases: Readonly<Record<string, string>> = {
    "a/b": "a/b",
    "./a/": "a",
    "/etc/passwd": "etc/passwd",
    "//a//b/./c": "a/b/c",
    "a/../b": "b",
    "a/..": "",
    ".": "",
    "": "",
    "..a/b..": "..a/b..",
    "...": "...",
  };
  for (const [name, wanted] of Object.entries(cases))
    assert.equal(rootedTarPath(Buffer.from(name)), wanted, name);
});

test("rootedTarPath() refuses names that lead out", () => {
  for (const name of ["..", "../a", "/..", "a/../../b", "./..", "/../etc/passwd"]) {
    assert.throws(
      () => rootedTarPath(Buffer.from(name)),
      (error) => Fault.is(error, "invalid-argument"),
      name,
    );
  }
});

test("tarPathBytes() gives back what is not UTF-8", () => {
  const name = Buffer.from([0x61, 0xff, 0xc3]);
  assert.deepEqual(tarPathBytes(rootedTarPath(name)), name);
});
