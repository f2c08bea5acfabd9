import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { findAddon, load } from "./native.ts";

test("the addon is found from the sources and from a bundle", async () => {
  await using top = await openTempDir();
  const addon = join(top.path, "build/native/hawser.node");
  mkdirSync(join(top.path, "build/native"), { recursive: true });
  writeFileSync(addon, "");
  for (const folder of ["packages/linux/src", "dist/engine/0123456789abcdef"]) {
    assert.equal(findAddon(join(top.path, folder)), addon);
  }
});

test("a missing or foreign addon says what to do", async () => {
  await using top = await openTempDir();
  const foreign = join(top.path, "hawser.node");
  writeFileSync(foreign, "not an ELF file");
  for (const attempt of [() => findAddon(join(top.path, "a/b/c")), () => load(foreign)]) {
    assert.throws(
      attempt,
      (error) => Fault.is(error, "unavailable") && /make -C native\/addon/.test(error.message),
    );
  }
});
