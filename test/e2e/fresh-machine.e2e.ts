import assert from "node:assert/strict";
import { cp, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { root } from "../../tools/tree.ts";
import { debianArchive } from "../images/debian.ts";
import { type Machine, openMachine } from "./kit-machine.ts";
import { runCommandOk } from "./kit-process.ts";

const setUpDeadlineMs = 400_000;

for (const suite of ["bookworm", "trixie"] as const) {
  test(`README's first command on a bare Debian ${suite}`, async (t) => {
    const archive = await debianArchive({ suite, include: ["ca-certificates", "git"] });
    await using machine = await openMachine(archive);
    await cloneTree(join(machine.folder, "root/hawser"));

    const first = await run(t, machine, ["run", "hello-world"]);
    assert.match(first.stderr, /set-up: npm packages/);
    assert.match(first.stderr, /set-up done/);

    const second = await run(t, machine, ["run", "hello-world"]);
    assert.doesNotMatch(second.stderr, /set-up/);

    const busybox = await hawser(machine, ["run", "--rm", "busybox", "echo", "from", "busybox"]);
    assert.equal(busybox.stdout, "from busybox\n", busybox.stderr);
  });
}

/** A run of hello-world must print its text; how long it took is in the report. */
async function run(t: TestContext, machine: Machine, args: readonly string[]) {
  const started = performance.now();
  const result = await hawser(machine, args);
  t.diagnostic(`hawser ${args.join(" ")}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  for (const line of result.stderr.split("\n")) if (line.endsWith(" s")) t.diagnostic(line);
  assert.equal(result.exitCode, 0, result.stderr);
  assert.match(result.stdout, /Hello from Hawser!/);
  return result;
}

function hawser(machine: Machine, args: readonly string[]) {
  return machine.run(["./hawser", ...args], { folder: "/root/hawser", timeoutMs: setUpDeadlineMs });
}

/** What `git clone` gives, and on top what is changed in the working tree but not committed. */
async function cloneTree(target: string): Promise<void> {
  await runCommandOk(["git", "clone", "--quiet", "--no-hardlinks", root, target]);
  const status = await runCommandOk([
    "git",
    "-C",
    root,
    "status",
    "--porcelain",
    "-z",
    "--no-renames",
    "--untracked-files=all",
  ]);
  for (const entry of status.split("\0")) {
    const path = entry.slice(3);
    if (path === "") continue;
    if (entry.slice(0, 2).includes("D")) await rm(join(target, path), { force: true });
    else {
      await mkdir(dirname(join(target, path)), { recursive: true });
      await cp(join(root, path), join(target, path), { verbatimSymlinks: true });
    }
  }
}
