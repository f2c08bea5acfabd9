import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMountOptions } from "./parse-mount-options.ts";

test("words that mount(2) has flags for become flags, the later counts, all others are the file system's", () => {
  assert.deepEqual(parseMountOptions(""), { flags: 0, propagation: 0, data: "" });
  assert.deepEqual(parseMountOptions("size=1m,noexec,uid=7,ro,rw"), {
    flags: 0x8,
    propagation: 0,
    data: "size=1m,uid=7",
  });
  assert.deepEqual(parseMountOptions("rbind,ro,rslave"), { flags: 0x5001, propagation: 0x84000, data: "" });
  assert.deepEqual(parseMountOptions("addr=10.0.0.1,vers=4,nolock,soft"), {
    flags: 0,
    propagation: 0,
    data: "addr=10.0.0.1,vers=4,nolock,soft",
  });
});
