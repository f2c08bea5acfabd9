import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { openDatabase } from "./open-database.ts";

test("a disk without any room is told of, and hides nothing once it has some", async () => {
  await using dir = await openTempDir();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", dir.path]);
  try {
    const path = join(dir.path, "state.db");
    const ballast = join(dir.path, "ballast");
    const first = openDatabase(path);
    first.exec("CREATE TABLE things (name TEXT) STRICT; INSERT INTO things VALUES ('one');");
    first.close();
    spawnSync("cp", ["/dev/zero", ballast]);
    assert.throws(
      () => openDatabase(path),
      (error) => Fault.is(error, "resource-exhausted") && /no space left/.test(error.message),
    );
    rmSync(ballast);
    const again = openDatabase(path);
    assert.deepEqual({ ...again.prepare("SELECT name FROM things").get() }, { name: "one" });
    again.close();
  } finally {
    execFileSync("umount", [dir.path]);
  }
});
