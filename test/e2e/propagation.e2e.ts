import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { runCommand, runCommandOk } from "./kit-process.ts";
import { hawserOnly, useTarget } from "./kit-target.ts";

// On most hosts everything is mounted shared; on some nothing is. This folder is, since before the engine started.
const resources = new AsyncDisposableStack();
let folder = "";
before(async () => {
  const dir = resources.use(await openTempDir());
  folder = dir.path;
  resources.defer(async () => {
    for (const name of ["host", "container", "."]) await runCommand(["umount", "-l", join(folder, name)]);
  });
  for (const name of ["host", "container"]) await mkdir(join(folder, name));
  await runCommandOk(["mount", "--bind", folder, folder]);
  await runCommandOk(["mount", "--make-shared", folder]);
});
const target = useTarget();
after(() => resources.disposeAsync());

describe("mounts that come later", hawserOnly, () => {
  before(async () => {
    const binds = ["private", "rslave", "rshared"].flatMap((how) => ["-v", `${folder}:/${how}:${how}`]);
    await target.ok("run", "-d", "--privileged", "--name", "box", ...binds, "busybox", "sleep", "600");
  });
  after(() => target.ok("rm", "-f", "box"));
  const sees = async (path: string) =>
    (await target.ok("exec", "box", "cat", "/proc/mounts")).includes(` ${path} tmpfs `);

  test("on the host are seen through rslave and rshared binds only", async () => {
    await runCommandOk(["mount", "-t", "tmpfs", "none", join(folder, "host")]);
    assert.equal(await sees("/private/host"), false);
    assert.equal(await sees("/rslave/host"), true);
    assert.equal(await sees("/rshared/host"), true);
  });

  test("in the container are seen through its other shared and slave binds only", async () => {
    await target.ok("exec", "box", "mount", "-t", "tmpfs", "none", "/rshared/container");
    assert.equal(await sees("/rshared/container"), true);
    assert.equal(await sees("/rslave/container"), true);
    assert.equal(await sees("/private/container"), false);
  });
});
