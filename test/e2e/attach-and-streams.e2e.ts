import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { startProgram } from "./kit-process.ts";
import { clients, runClient, useTarget } from "./kit-target.ts";
import { openTerminal } from "./kit-terminal.ts";

const target = useTarget();
const detachKeys = "\x10\x11"; // ctrl-p ctrl-q

for (const [number, client] of clients.entries()) {
  const named = (name: string) => `${name}-${number}`;
  const call = (args: readonly string[], input?: string | Uint8Array) =>
    runClient(target, client, { args, ...(input !== undefined && { input }) });
  const terminal = (args: readonly string[], size?: { rows: number; columns: number }) =>
    openTerminal([...client.argv, ...args], { env: target.environment(), ...(size && { size }) });
  const running = async (name: string) => (await target.inspect(name))["State"]?.["Running"];

  describe(`streams, by ${client.name}`, () => {
    test("5 MB go in and come back", async () => {
      const input = Buffer.alloc(5_000_000, "Hawser carries every byte. ");
      const { exitCode, stdout } = await call(["run", "-i", "--rm", "busybox", "cat"], input);
      assert.equal(exitCode, 0);
      assert.equal(
        createHash("md5").update(stdout).digest("hex"),
        createHash("md5").update(input).digest("hex"),
      );
    });

    test("the end of the input ends the program's input, and its output goes on", async () => {
      const { stdout } = await call(
        ["run", "-i", "--rm", "busybox", "sh", "-c", "cat >/dev/null; echo after"],
        "x",
      );
      assert.equal(stdout, "after\n");
    });

    test("start -ai gives input, output and exit code of a container that was created before", async () => {
      await target.ok(
        "create",
        "-i",
        "--name",
        named("later"),
        "busybox",
        "sh",
        "-c",
        "cat; echo err >&2; exit 4",
      );
      assert.deepEqual(await call(["start", "-ai", named("later")], "in\n"), {
        exitCode: 4,
        stdout: "in\n",
        stderr: "err\n",
      });
    });

    test("a container that does not run cannot be attached to", async () => {
      await target.ok("create", "--name", named("idle"), "busybox");
      const { exitCode, stderr } = await call(["attach", named("idle")]);
      assert.equal(exitCode, 1);
      assert.match(stderr, /cannot attach to a stopped container, start it first/i);
    });

    test("signals to the client are the container's", async () => {
      await using dir = await openTempDir();
      const script = 'trap "echo term; exit 9" TERM; echo ready; while :; do sleep 0.05; done';
      const program = await startProgram([...client.argv, "run", "--rm", "busybox", "sh", "-c", script], {
        log: join(dir.path, "log"),
        env: target.environment(),
      });
      await eventually(() => program.output().includes("ready"));
      await program.kill("SIGTERM");
      assert.equal(await program.ended, 9);
      assert.equal(program.output(), "ready\nterm\n");
    });

    test("several clients see the same output, and all end with the container", async () => {
      const name = named("shared");
      await target.ok(
        "run",
        "-d",
        "--name",
        name,
        "busybox",
        "sh",
        "-c",
        "while :; do echo tick; sleep 0.05; done",
      );
      await using dir = await openTempDir();
      const attached = [];
      for (const one of ["a", "b", "c"]) {
        const argv = [...client.argv, "attach", "--no-stdin", name];
        attached.push(await startProgram(argv, { log: join(dir.path, one), env: target.environment() }));
      }
      for (const program of attached) await eventually(() => program.output().includes("tick\ntick\n"));
      await target.ok("kill", name);
      assert.deepEqual(await Promise.all(attached.map(({ ended }) => ended)), [137, 137, 137]);
    });

    test("a client that dies in the middle of much output does not hold the container up", async () => {
      const name = named("orphan");
      const script = "yes 0123456789012345678901234567890123456789 | head -c 20000000; touch /done; sleep 60";
      await using dir = await openTempDir();
      const program = await startProgram(
        [...client.argv, "run", "--name", name, "busybox", "sh", "-c", script],
        {
          log: join(dir.path, "log"),
          env: target.environment(),
        },
      );
      await eventually(() => program.output().length > 1000);
      await program.kill("SIGKILL");
      await eventually(
        async () => (await target.docker(["exec", name, "test", "-f", "/done"])).exitCode === 0,
        {
          deadlineMs: 20_000,
        },
      );
      assert.equal(await running(name), true);
      await target.ok("rm", "-f", name);
    });
  });

  describe(`terminals, by ${client.name}`, () => {
    test("a program with -t has a terminal of the window's size, and follows it", async () => {
      const script = "tty; while :; do stty size; sleep 0.05; done";
      const size = { rows: 31, columns: 77 };
      await using session = await terminal(["run", "--rm", "-it", "busybox", "sh", "-c", script], size);
      await session.shows("31 77\r\n");
      assert.match(session.screen(), /^\/dev\/pts\/0\r\n|^\/dev\/console\r\n/);
      await session.resize({ rows: 40, columns: 100 });
      await session.shows("40 100\r\n");
      session.write("\x03");
      assert.equal(await session.ended, 130);
    });

    test("the keyboard is raw while the program has it, and as before afterwards", async () => {
      const script = `${client.argv.join(" ")} run --rm -it busybox sh; echo code=$?; stty -a; read wait`;
      await using session = await openTerminal(["sh", "-c", script], { env: target.environment() });
      await session.shows("# ");
      assert.match(await session.settings(), /-icanon.*-echo/s);
      session.write("exit 3\r");
      await session.shows("code=3");
      await session.shows(/ icanon.* echo /s);
      session.write("\r");
    });

    test("ctrl-c reaches the program", async () => {
      const script = 'trap "echo interrupted; exit 5" INT; echo ready; while :; do sleep 0.05; done';
      await using session = await terminal(["run", "--rm", "-it", "busybox", "sh", "-c", script]);
      await session.shows("ready");
      session.write("\x03");
      assert.equal(await session.ended, 5);
      assert.match(session.screen(), /interrupted/);
    });

    test("ctrl-p ctrl-q leaves the container running; attach comes back to it", async () => {
      const name = named("left");
      await using first = await terminal(["run", "-it", "--name", name, "busybox", "sh"]);
      await first.shows("# ");
      first.write(`value=kept\r${detachKeys}`);
      assert.equal(await first.ended, 0);
      assert.equal(await running(name), true);

      await using second = await terminal(["attach", name]);
      second.write("\r");
      await second.shows("# ");
      second.write("echo $value-$((1+1)); exit 6\r");
      await second.shows("kept-2");
      assert.equal(await second.ended, 6);
    });

    test("other keys can be chosen to detach", async () => {
      const name = named("keys");
      await using session = await terminal([
        "run",
        "-it",
        "--detach-keys",
        "ctrl-a,x",
        "--name",
        name,
        "busybox",
        "sh",
      ]);
      await session.shows("# ");
      session.write(`${detachKeys}echo still-$((2+2))\r`);
      await session.shows("still-4");
      session.write("\x01x");
      assert.equal(await session.ended, 0);
      assert.equal(await running(name), true);
      await target.ok("rm", "-f", name);
    });

    test("a terminal is refused when the client has none", async () => {
      const { exitCode, stderr } = await call(["run", "--rm", "-it", "busybox", "true"], "");
      assert.equal(exitCode, 1);
      assert.match(stderr, /the input device is not a TTY/);
    });

    test("-t without -i needs no terminal at the client", async () => {
      const { exitCode, stdout } = await call(["run", "--rm", "-t", "busybox", "echo", "line"]);
      assert.deepEqual([exitCode, stdout], [0, "line\r\n"]);
    });
  });
}
