import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { findProcesses } from "./kit-proc.ts";

/** OCI runtimes that never answer, declared in the engine's configuration: crun, but for one verb. */

const runtime = (verb: string) => `#!/bin/sh
for word; do
  [ "$word" != ${verb} ] || { sleep 7654321 & wait; }
done
exec /usr/bin/crun "$@"
`;

let engine: TestEngine;
const resources = new AsyncDisposableStack();
before(async () => {
  engine = resources.use(await openEngine());
  const folder = join(dirname(engine.socket), "runtimes");
  await mkdir(folder);
  for (const verb of ["run", "exec"]) {
    await writeFile(join(folder, `hangs-at-${verb}`), runtime(verb), { mode: 0o755 });
  }
  await ok("run", "--rm", "busybox", "true");
});
after(() => resources.disposeAsync());

async function configure(settings: Readonly<Record<string, unknown>>): Promise<void> {
  const path = (verb: string) => join(dirname(engine.socket), `runtimes/hangs-at-${verb}`);
  const runtimes = { "no-run": { path: path("run") }, "no-exec": { path: path("exec") } };
  await engine.configure({ ...settings, runtimes });
  const reloads = () => engine.log().split("configuration reloaded").length;
  const before = reloads();
  engine.reload();
  await eventually(() => reloads() > before);
}

async function ok(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await engine.docker(args);
  assert.equal(exitCode, 0, `docker ${args.join(" ")}\n${stderr}`);
  return stdout.trim();
}

const hanging = () => findProcesses(({ command }) => command.startsWith("sleep 7654321"));

test("a start whose runtime does not answer fails in time, and nothing is left of it", async () => {
  await configure({ "runtime-deadline": 1 });
  const run = await engine.docker(["run", "--rm", "--runtime", "no-run", "busybox", "true"]);
  assert.notEqual(run.exitCode, 0);
  assert.match(run.stderr, /OCI runtime .*hangs-at-run did not answer within 1 seconds and was killed/);
  await ok("create", "--name", "kept", "--runtime", "no-run", "busybox", "true");
  assert.match((await engine.docker(["start", "kept"])).stderr, /did not answer within 1 seconds/);
  assert.match(
    await ok("inspect", "--format", "{{.State.Status}} {{.State.Error}}", "kept"),
    /^created .*did not answer/,
  );
  await ok("rm", "kept");
  assert.equal(await ok("ps", "-aq"), "");
  assert.deepEqual([hanging(), engine.monitors()], [[], []]);
});

test("a removal by force does not wait behind a start that hangs", async () => {
  await configure({ "runtime-deadline": 0 });
  for (const flags of [[], ["--rm"]]) {
    const started = engine.docker([
      "run",
      "--name",
      "stuck",
      ...flags,
      "--runtime",
      "no-run",
      "busybox",
      "true",
    ]);
    await eventually(() => hanging().length === 1);
    await ok("rm", "-f", "stuck");
    const { exitCode, stderr } = await started;
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /the start was given up/);
    assert.equal(await ok("ps", "-aq"), "");
    await eventually(() => hanging().length === 0 && engine.monitors().length === 0);
  }
});

test("an engine that dies meanwhile can still be told to remove it", async () => {
  await configure({ "runtime-deadline": 0 });
  const started = engine.docker(["run", "--name", "stuck", "--runtime", "no-run", "busybox", "true"]);
  await eventually(() => hanging().length === 1);
  await engine.kill();
  await started;
  await engine.start();
  await ok("rm", "-f", "stuck");
  assert.equal(await ok("ps", "-aq"), "");
  await eventually(() => hanging().length === 0 && engine.monitors().length === 0);
});

test("an exec whose runtime does not answer fails in time, and the container goes on", async () => {
  // Enough for the start, on a busy machine, too.
  await configure({ "runtime-deadline": 3 });
  await ok("run", "-d", "--name", "box", "--init", "--runtime", "no-exec", "busybox", "sleep", "1000");
  const exec = await engine.docker(["exec", "box", "true"]);
  assert.equal(exec.exitCode, 126);
  assert.match(exec.stdout + exec.stderr, /did not answer within 3 seconds and was killed/);
  assert.equal(await ok("inspect", "--format", "{{.State.Running}}", "box"), "true");
  await configure({ "runtime-deadline": 0 });
  const stuck = engine.docker(["exec", "box", "true"]);
  await eventually(() => hanging().length === 1);
  await ok("rm", "-f", "box");
  await stuck;
  await eventually(() => hanging().length === 0 && engine.monitors().length === 0);
});
