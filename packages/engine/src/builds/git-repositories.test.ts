import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runProgramOk } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { GitRepositories } from "./git-repositories.ts";

const author = ["-c", "user.name=a", "-c", "user.email=a@example.com"];

test("a repository that was left locked in the middle of something is fetched anew", async () => {
  await using dir = await openTempDir();
  const [origin, folder] = [join(dir.path, "origin"), join(dir.path, "kept")];
  const git = (...words: string[]) => runProgramOk(["git", "-C", origin, ...author, ...words]);
  await runProgramOk(["git", "init", "-q", origin]);
  let count = 0;
  const checkOut = async (content: string, signal = new AbortController().signal) => {
    writeFileSync(join(origin, "file"), content);
    await git("add", "-A");
    await git("commit", "-q", "--allow-empty", "-m", "x");
    const into = join(dir.path, `into-${count++}`);
    const reference = { url: `file://${origin}`, ref: "HEAD" };
    await new GitRepositories({ folder }).checkout(reference, { into, keepsGitDir: false, signal });
    return readFileSync(join(into, "file"), "utf8");
  };
  assert.equal(await checkOut("one"), "one");
  const stop = AbortSignal.abort();
  await assert.rejects(checkOut("two", stop));
  // What a git that is killed leaves: nobody takes its locks away.
  const [repository = ""] = readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name));
  for (const lock of ["index.lock", "shallow.lock"]) writeFileSync(join(folder, repository, lock), "");
  assert.equal(await checkOut("three"), "three");
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith(repository)),
    [repository],
  );
});
