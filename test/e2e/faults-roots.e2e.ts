import assert from "node:assert/strict";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { ask } from "./kit-http.ts";
import { findCgroups, findPorts, stockSize } from "./kit-idle.ts";
import { runCommand, runCommandOk } from "./kit-process.ts";
import { againstDockerd } from "./kit-target.ts";

async function ok(engine: TestEngine, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await engine.docker(args);
  assert.equal(exitCode, 0, `docker ${args.join(" ")}\n${stderr}${stdout}`);
  return stdout;
}

async function stateOf(engine: TestEngine, name: string) {
  return (await ask(engine.socket, `GET /containers/${name}/json`)).json()["State"];
}

describe("two engines", { skip: againstDockerd }, () => {
  let engine: TestEngine | undefined;
  const first = () => {
    assert.ok(engine);
    return engine;
  };
  before(async () => {
    engine = await openEngine();
    await ok(first(), "pull", "busybox");
    await ok(first(), "run", "-d", "--name", "mine", "busybox", "sleep", "1000");
  });
  after(async () => {
    await engine?.[Symbol.asyncDispose]();
  });
  const isUndisturbed = async () => {
    assert.equal(await ok(first(), "exec", "mine", "echo", "hello"), "hello\n");
    assert.equal(first().monitors().length, 1);
  };

  for (const flag of ["exec-root", "data-root"] as const) {
    test(`on one ${flag}: the second refuses, and says who is there`, async () => {
      const path = flag === "exec-root" ? first().execRoot : first().dataRoot;
      await assert.rejects(openEngine({ flags: [`--${flag}`, path] }), (error: Error) => {
        assert.match(error.message, new RegExp(`Cannot start the engine: another one .*${path}`));
        return true;
      });
      await isUndisturbed();
    });
  }

  test("side by side: one that is killed, comes back and goes does nothing to the other", async () => {
    const { Pid } = (await stateOf(first(), "mine")) ?? {};
    const ports = () => findPorts(first().bridge).length;
    const before = await eventually(
      () => ports() > stockSize && { ports: ports(), cgroups: findCgroups(first().cgroupParent) },
    );
    {
      await using second = await openEngine();
      await ok(second, "pull", "busybox");
      await ok(second, "run", "-d", "--name", "mine", "busybox", "sleep", "1000");
      await second.kill();
      await isUndisturbed();
      await second.start();
      assert.equal((await stateOf(second, "mine"))?.["Running"], true);
      assert.equal(await ok(second, "ps", "-q"), await ok(second, "ps", "-q", "--filter", "name=mine"));
    }
    await isUndisturbed();
    assert.equal((await stateOf(first(), "mine"))?.["Pid"], Pid);
    assert.deepEqual({ ports: ports(), cgroups: findCgroups(first().cgroupParent) }, before);
    await ok(first(), "run", "--rm", "busybox", "true");
  });
});

describe("a full disk", { skip: againstDockerd }, () => {
  const resources = new AsyncDisposableStack();
  let engine: TestEngine | undefined;
  let dataRoot = "";
  const full = () => {
    assert.ok(engine);
    return engine;
  };
  before(async () => {
    const dir = resources.use(await openTempDir("hawser-e2e-full-")).path;
    await runCommandOk(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", dir]);
    resources.defer(async () => void (await runCommandOk(["umount", "-l", dir])));
    dataRoot = dir;
    engine = resources.use(await openEngine({ flags: ["--data-root", dataRoot] }));
    await ok(full(), "pull", "busybox");
  });
  after(() => resources.disposeAsync());

  /** Leave no block free, whatever a container writes meanwhile. */
  const fill = async () => {
    const { stderr } = await runCommand(["cp", "/dev/zero", join(dataRoot, "ballast")]);
    assert.match(stderr, /No space left/);
  };

  test("what needs room fails with its reason, what runs goes on and may end, and all is well with room again", async () => {
    await ok(
      full(),
      "run",
      "-d",
      "--name",
      "talks",
      "busybox",
      "sh",
      "-c",
      "while :; do echo word; sleep 0.02; done",
    );
    await ok(full(), "run", "-d", "--name", "ends", "busybox", "sleep", "1000");
    await ok(full(), "run", "-d", "--name", "removes-itself", "--rm", "busybox", "sleep", "1000");
    await ok(full(), "create", "--name", "created", "busybox", "sleep", "1000");
    await ok(full(), "run", "--name", "writes", "busybox", "sh", "-c", "echo new >/new");
    await ok(full(), "commit", "writes", "spare");
    await ok(full(), "rm", "writes");
    const count = async (folder: string) => (await readdir(join(dataRoot, folder))).length;
    await eventually(async () => (await count("snapshots")) === 4, { what: "what was removed is away" });
    const layers = await count("layers");
    await fill();

    const writing = await full().docker([
      "run",
      "--rm",
      "busybox",
      "sh",
      "-c",
      "head -c 1000000 /dev/zero >/f",
    ]);
    assert.match(writing.stderr, /no space left|disk.*full|I\/O error/i);
    assert.notEqual(writing.exitCode, 0);
    const load = await full().docker(["pull", "hello-world"]);
    assert.notEqual(load.exitCode, 0);
    assert.match(load.stderr, /no space left|disk.*full/i);
    assert.equal((await ask(full().socket, "GET /_ping")).status, 200);
    assert.equal((await stateOf(full(), "talks"))?.["Running"], true);
    assert.equal(await ok(full(), "exec", "talks", "echo", "hello"), "hello\n");

    await ok(full(), "kill", "ends", "removes-itself");
    await eventually(async () => (await stateOf(full(), "ends"))?.["Running"] === (false as never));
    assert.equal((await stateOf(full(), "ends"))?.["ExitCode"], 137);
    assert.equal(await ok(full(), "wait", "ends"), "137\n");
    await eventually(async () => (await ok(full(), "ps", "-aq", "--filter", "name=removes-itself")) === "");
    await ok(full(), "rm", "ends");
    await eventually(async () => (await count("snapshots")) === 2, { what: "removal gives room back" });
    await ok(full(), "rmi", "spare");
    assert.equal(await count("layers"), layers - 1);

    await rm(join(dataRoot, "ballast"));
    await ok(full(), "run", "--rm", "busybox", "true");
    await ok(full(), "start", "created");
    await full().kill();
    await full().start();
    assert.equal((await stateOf(full(), "talks"))?.["Running"], true);
    assert.equal((await stateOf(full(), "created"))?.["Running"], true);
    assert.equal((await ask(full().socket, "GET /containers/ends/json")).status, 404);
    await ok(full(), "rm", "-f", "talks", "created");
  });

  test("an engine that starts on it says why it cannot, or serves", async () => {
    await ok(full(), "run", "-d", "--name", "runs", "busybox", "sleep", "1000");
    await full().stop();
    await fill();
    const started = await full()
      .start()
      .then(
        () => undefined,
        (error: unknown) => String(error),
      );
    if (started !== undefined) assert.match(started, /no space left|disk.*full/i);
    await rm(join(dataRoot, "ballast"));
    if (started !== undefined) await full().start();
    assert.equal((await stateOf(full(), "runs"))?.["Running"], true);
    await ok(full(), "rm", "-f", "runs");
  });
});
