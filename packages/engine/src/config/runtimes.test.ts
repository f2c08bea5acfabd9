import { deepEqual, equal } from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { findRuntimes } from "./runtimes.ts";

test("runtimes are found on the path, and runc by containerd's name for it, too", async () => {
  await using dir = await openTempDir();
  const folder = join(dir.path, "bin");
  await mkdir(folder);
  for (const name of ["crun", "runc"]) await writeFile(join(folder, name), "");
  const found = findRuntimes(folder);
  deepEqual(Object.keys(found), ["crun", "runc", "io.containerd.runc.v2"]);
  equal(found["crun"]?.path, join(folder, "crun"));
  equal(found["io.containerd.runc.v2"]?.path, join(folder, "runc"));
});
