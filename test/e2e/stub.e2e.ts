import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { type CommandOptions, runCommand, startProgram } from "./kit-process.ts";
import { openStub, type Stub } from "./kit-stub.ts";
import { hawserOnly, useTarget } from "./kit-target.ts";
import { openTerminal } from "./kit-terminal.ts";

/** The command as users start it: through the stub, done by the user's resident client. */
describe("a stub and its resident client", hawserOnly, () => {
  const target = useTarget();
  let stub: Stub;
  const environment = () => ({ ...target.environment(), ...stub.env });
  const call = (args: readonly string[], options: CommandOptions = {}) =>
    runCommand([...stub.argv, ...args], { ...options, env: { ...environment(), ...options.env } });

  before(async () => {
    stub = await openStub();
    await stub.openResident();
    await rm(join(stub.client, "main.js")); // what works from now on is done by the resident client
    await target.ok("run", "-d", "--name", "box", "busybox", "sleep", "1000");
  });
  after(() => stub[Symbol.asyncDispose]());

  test("streams, input and exit code are the command's", async () => {
    const script = "cat; echo err >&2; exit 7";
    const result = await call(["run", "--rm", "-i", "busybox", "sh", "-c", script], { input: "in" });
    assert.deepEqual(result, { exitCode: 7, stdout: "in", stderr: "err\n" });
    const unknown = await call(["run", "--rm", "busybox", "no-such-program"]);
    assert.equal(unknown.exitCode, 127);
    assert.match(unknown.stderr, /executable file not found/);
    assert.equal((await call(["container", "no-such-verb"])).exitCode, 1);
  });

  test("megabytes go through whole, both ways", async () => {
    const input = "0123456789abcdef".repeat(300_000);
    const { stdout } = await call(["exec", "-i", "box", "cat"], { input });
    assert.equal(stdout.length, input.length);
    assert.ok(stdout === input);
  });

  test("each session has its own environment and working folder", async () => {
    await using dir = await openTempDir();
    for (const name of ["one", "two"]) {
      await mkdir(join(dir.path, name));
      await writeFile(join(dir.path, name, "vars"), `FILE=${name}\n`);
    }
    const sessions = ["one", "two"].map(async (name) => {
      const options = { cwd: join(dir.path, name), env: { OWN: name } };
      const args = ["run", "--rm", "-e", "OWN", "--env-file", "vars", "-v", "./:/here", "busybox"];
      const { stdout } = await call([...args, "sh", "-c", "echo $OWN $FILE; cat /here/vars"], options);
      assert.equal(stdout, `${name} ${name}\nFILE=${name}\n`);
    });
    await Promise.all(sessions);
  });

  test("a signal reaches the container, and ends a command that does not want it", async () => {
    await using dir = await openTempDir();
    const log = join(dir.path, "log");
    const script = "trap 'exit 9' TERM; echo ready; while true; do sleep 0.1; done";
    const run = await startProgram([...stub.argv, "run", "--rm", "busybox", "sh", "-c", script], {
      log,
      env: environment(),
    });
    await eventually(() => run.output().includes("ready"), { what: "the container is ready" });
    process.kill(run.pid, "SIGTERM");
    assert.equal(await run.ended, 9);
    const logs = await startProgram([...stub.argv, "logs", "-f", "box"], { log, env: environment() });
    process.kill(logs.pid, "SIGINT");
    assert.equal(await logs.ended, "SIGINT");
  });

  test("forty at once", async () => {
    const runs = Array.from({ length: 40 }, (_, index) => call(["exec", "box", "echo", String(index)]));
    const results = await Promise.all(runs);
    assert.deepEqual(
      results.map(({ stdout }) => stdout),
      results.map((_, index) => `${index}\n`),
    );
  });

  test("a reader that stands still holds up nobody else", async () => {
    const loud = spawn(stub.argv[0] ?? "", [...stub.argv.slice(1), "exec", "box", "yes"], {
      stdio: ["ignore", "pipe", "inherit"],
      env: environment(),
    });
    await eventually(() => loud.stdout.readableLength > 0, { what: "it has begun" });
    loud.stdout.pause();
    assert.equal((await call(["exec", "box", "echo", "others"])).stdout, "others\n");
    loud.kill("SIGKILL");
  });

  test("what a killed stub had open with the engine is closed", async () => {
    const [resident = 0] = stub.residents();
    const open = () => readdirSync(`/proc/${resident}/fd`).length;
    // What the sessions before had open may still be closed.
    const before = await eventually(async () => {
      const first = open();
      await call(["exec", "box", "true"]);
      return open() === first && first;
    });
    await using dir = await openTempDir();
    const follow = ["logs", "-f", "box"];
    const logs = await startProgram([...stub.argv, ...follow], {
      log: join(dir.path, "log"),
      env: environment(),
    });
    await eventually(() => open() > before + 1, { what: "the log is followed" });
    await logs.kill("SIGKILL");
    await eventually(() => open() <= before, { what: "its connections are closed" });
  });

  test("a terminal: its size, its change, raw mode and back", async () => {
    const argv = [...stub.argv, "run", "--rm", "-it", "busybox", "sh"];
    await using terminal = await openTerminal(argv, { env: environment(), size: { rows: 33, columns: 77 } });
    await terminal.shows("# ");
    terminal.write("stty size\r");
    await terminal.shows("33 77");
    assert.match(await terminal.settings(), / -icanon /);
    await terminal.resize({ rows: 20, columns: 60 });
    await eventually(
      async () => {
        terminal.write("stty size\r");
        return terminal.screen().includes("20 60");
      },
      { what: "the container's terminal has the new size" },
    );
    terminal.write("exit 5\r");
    assert.equal(await terminal.ended, 5);
  });

  test("a process that may do other things is not stood for", async () => {
    const { exitCode, stderr } = await runCommand(
      ["sh", "-c", 'umask 077; exec "$@"', "sh", ...stub.argv, "ps"],
      {
        env: environment(),
      },
    );
    // it became the client itself, which this test took away
    assert.equal(exitCode, 1);
    assert.match(stderr, /Cannot find module/);
    const refused = await call(["ps"], { env: { HAWSER_RESIDENT: "0" } });
    assert.match(refused.stderr, /Cannot find module/);
  });

  test("a resident client that is killed is told of, and followed by another", async () => {
    await using dir = await openTempDir();
    const log = join(dir.path, "log");
    const run = await startProgram([...stub.argv, "exec", "box", "sh", "-c", "echo up; sleep 1000"], {
      log,
      env: environment(),
    });
    await eventually(() => run.output().includes("up"), { what: "the exec runs" });
    for (const pid of stub.residents()) process.kill(pid, "SIGKILL");
    assert.equal(await run.ended, 125);
    assert.match(run.output(), /the resident client ended early/);
    await stub.openResident();
    assert.equal((await call(["exec", "box", "echo", "again"])).stdout, "again\n");
  });
});
