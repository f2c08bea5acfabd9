import assert from "node:assert/strict";
import { cp, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { root } from "../../tools/tree.ts";
import { debianArchive } from "../images/debian.ts";
import { type Machine, openMachine } from "./kit-machine.ts";
import { runCommandOk } from "./kit-process.ts";

const setUpDeadlineMs = 600_000;

/** The clone, inside the machine. */
const folder = "/root/hawser";

test("README's first command on a bare Debian 12", async (t) => {
  await using machine = await openCheckout("bookworm");

  const first = await run(t, machine, ["run", "hello-world"]);
  assert.match(first.stderr, /apt-get install .* nodejs\)/); // its npm comes from elsewhere
  assert.match(first.stderr, /set-up: npm packages/);
  const packages = await machine.run(["ls", "node_modules"], { folder });
  assert.match(packages.stdout, /^esbuild$/m);
  assert.doesNotMatch(packages.stdout, /^typescript$/m, "packages that only tests need");
  assert.match(first.stderr, /set-up done/);

  const second = await run(t, machine, ["run", "hello-world"]);
  assert.doesNotMatch(second.stderr, /set-up/);

  const busybox = await hawser(machine, ["run", "--rm", "busybox", "echo", "from", "busybox"]);
  assert.equal(busybox.stdout, "from busybox\n", busybox.stderr);
});

test("README's first command on a bare Debian 13, after a first try that was killed", async (t) => {
  await using machine = await openCheckout("trixie");

  // in the middle of the system packages: dpkg lives on, half of them are unpacked
  const killed = await machine.run(["timeout", "-s", "KILL", "12", "./hawser", "run", "hello-world"], {
    folder,
  });
  assert.notEqual(killed.exitCode, 0);
  assert.doesNotMatch(killed.stderr, /set-up done/);

  const again = await run(t, machine, ["run", "hello-world"]);
  assert.match(again.stderr, /set-up done/);
  const third = await run(t, machine, ["run", "hello-world"]);
  assert.doesNotMatch(third.stderr, /set-up/);
});

async function openCheckout(suite: "bookworm" | "trixie"): Promise<Machine> {
  const machine = await openMachine(await debianArchive(suite));
  await cloneTree(join(machine.folder, folder));
  return machine;
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
  return machine.run(["./hawser", ...args], { folder, timeoutMs: setUpDeadlineMs });
}

/** What `git clone` gives, and on top what is changed in the working tree but not committed. */
async function cloneTree(target: string): Promise<void> {
  await runCommandOk(["git", "clone", "--quiet", "--no-hardlinks", root, target]);
  // Without its optional locks it leaves the index alone, by whose time `hawser` judges whether the set-up still fits.
  const status = await runCommandOk([
    "git",
    "--no-optional-locks",
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
