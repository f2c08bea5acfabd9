import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { findMounts } from "./kit-proc.ts";
import { runCommand, runCommandOk } from "./kit-process.ts";
import { hawserOnly, useTarget } from "./kit-target.ts";

// On most hosts everything is mounted shared; on some nothing is. This folder is, since before the engine started.
const resources = new AsyncDisposableStack();
let folder = "";
before(async () => {
  const dir = resources.use(await openTempDir());
  folder = dir.path;
  resources.defer(async () => {
    for (const name of ["host", "container", "shared", "kept", "."])
      await runCommand(["umount", "-l", join(folder, name)]);
  });
  for (const name of ["host", "container", "shared", "kept"]) await mkdir(join(folder, name));
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

  test("in the container, below a shared bind, are the host's too, and go with the host's", async () => {
    const seen = async () => findMounts(join(folder, "shared")).length === 1;
    await target.ok("exec", "box", "mount", "-t", "tmpfs", "none", "/rshared/shared");
    assert.ok(await seen());
    await target.ok("exec", "box", "umount", "/rshared/shared");
    assert.ok(!(await seen()));
  });

  test("the end of a container leaves the host's mounts alone", async () => {
    await runCommandOk(["mount", "-t", "tmpfs", "none", join(folder, "kept")]);
    await target.ok("run", "--rm", "-v", `${folder}:/it:rshared`, "busybox", "test", "-d", "/it/kept");
    assert.equal(findMounts(join(folder, "kept")).length, 1);
  });

  test("in the container are seen through its other shared and slave binds only", async () => {
    await target.ok("exec", "box", "mount", "-t", "tmpfs", "none", "/rshared/container");
    assert.equal(await sees("/rshared/container"), true);
    assert.equal(await sees("/rslave/container"), true);
    assert.equal(await sees("/private/container"), false);
  });
});

test("a bind shows what a host that shares nothing has mounted by then", hawserOnly, async () => {
  await using dir = await openTempDir();
  await target.ok("run", "--rm", "busybox", "true"); // whatever starts containers has started
  await runCommandOk(["mount", "-t", "tmpfs", "none", dir.path]);
  try {
    await runCommandOk(["mount", "--make-private", dir.path]);
    await writeFile(join(dir.path, "file"), "later\n");
    const bind = ["-v", `${dir.path}:/it`];
    assert.equal(await target.ok("run", "--rm", ...bind, "busybox", "cat", "/it/file"), "later\n");
  } finally {
    await runCommandOk(["umount", dir.path]);
  }
});

test("containers share with each other what the host does not share", hawserOnly, async () => {
  await using dir = await openTempDir();
  await runCommandOk(["mount", "--bind", dir.path, dir.path]);
  try {
    await runCommandOk(["mount", "--make-private", dir.path]);
    await mkdir(join(dir.path, "in"));
    const bind = ["-v", `${dir.path}:/it:rshared`];
    await target.ok("run", "-d", "--privileged", "--name", "one", ...bind, "busybox", "sleep", "600");
    await target.ok("run", "-d", "--privileged", "--name", "two", ...bind, "busybox", "sleep", "600");
    await target.ok("exec", "one", "mount", "-t", "tmpfs", "none", "/it/in");
    assert.match(await target.ok("exec", "two", "cat", "/proc/mounts"), / \/it\/in tmpfs /);
    assert.deepEqual(findMounts(join(dir.path, "in")), []);
  } finally {
    await target.ok("rm", "-f", "one", "two");
    await runCommand(["umount", "-l", dir.path]);
  }
});
