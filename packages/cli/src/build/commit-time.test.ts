import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runProgramOk } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { commitTimeOf } from "./commit-time.ts";

test("a clean checkout is as old as its commit; anything else has no age", async () => {
  await using dir = await openTempDir();
  const env = {
    ...process.env,
    HOME: dir.path,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_COMMITTER_DATE: "1700000000 +0100",
  };
  const work = join(dir.path, "work");
  const git = (...args: string[]) =>
    runProgramOk(["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", work, ...args], { env });
  const timeOf = (path = work, ignore: readonly string[] = []) => commitTimeOf({ path, ignore }, env);
  await mkdir(join(work, "part"), { recursive: true });
  await mkdir(join(work, "made"));
  for (const name of ["a", "part/b", "made/c"]) await writeFile(join(work, name), name);
  await writeFile(join(work, ".gitignore"), "made\n");
  assert.equal(await timeOf(), undefined, "no checkout");
  await git("init", "-q");
  assert.equal(await timeOf(), undefined, "no commit");
  await git("add", ".");
  await git("commit", "-q", "-m", "one");
  assert.equal(await timeOf(), 1_700_000_000);
  assert.equal(await timeOf(join(work, "part")), 1_700_000_000);
  assert.equal(await timeOf(join(work, "made")), undefined, "nothing of the commit's is in it");
  const hooked = { ...env, GIT_DIR: join(dir.path, "none"), GIT_INDEX_FILE: join(dir.path, "none") };
  assert.equal(await commitTimeOf({ path: work, ignore: [] }, hooked), 1_700_000_000, "called by a hook");
  assert.equal(
    await commitTimeOf({ path: work, ignore: [] }, { ...env, PATH: "/nonexistent" }),
    undefined,
    "no git",
  );

  await writeFile(join(work, "part/new file"), "");
  assert.equal(await timeOf(), undefined, "a new file");
  assert.equal(
    await timeOf(join(work, "part"), ["new*"]),
    1_700_000_000,
    "one that is left out of the build",
  );
  await writeFile(join(work, "a"), "changed");
  assert.equal(await timeOf(join(work, "part"), ["new*"]), 1_700_000_000, "changed beside the folder");
  await git("add", ".");
  assert.equal(await timeOf(), undefined, "what is not committed yet");
});
