import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { ask } from "./kit-http.ts";
import { againstDockerd, clients, hawserOnly, runClient, textOf, useTarget } from "./kit-target.ts";
import { openTerminal } from "./kit-terminal.ts";

const target = useTarget();

describe("exec", () => {
  before(async () => {
    const flags = ["--name", "box", "--env", "FROM=container", "--workdir", "/tmp", "--hostname", "host"];
    await target.ok("run", "-d", ...flags, "busybox", "sleep", "600");
  });
  after(() => target.ok("rm", "-f", "box"));

  for (const client of clients) {
    const exec = (args: readonly string[], input?: string) =>
      runClient(target, client, { args: ["exec", ...args], ...(input !== undefined && { input }) });

    describe(`by ${client.name}`, () => {
      test("ends with the program's exit code and shows both its streams", async () => {
        assert.deepEqual(await exec(["box", "sh", "-c", "echo out; echo err >&2; exit 3"]), {
          exitCode: 3,
          stdout: "out\n",
          stderr: "err\n",
        });
      });

      test("ends with 127 when there is no such program, and says so", async () => {
        const { exitCode, stdout, stderr } = await exec(["box", "nosuch"]);
        assert.match(stdout + stderr, /exec: "nosuch": executable file not found in \$PATH/);
        assert.equal(exitCode, againstDockerd ? 126 : 127);
      });

      test("ends with 126 when the program may not be run", async () => {
        const { exitCode, stdout, stderr } = await exec(["box", "/etc/passwd"]);
        assert.match(stdout + stderr, /permission denied/);
        assert.equal(exitCode, 126);
      });

      test("gives its input with -i, to the end, and none without", async () => {
        const all = "x".repeat(1_000_000);
        assert.equal((await exec(["-i", "box", "wc", "-c"], all)).stdout.trim(), "1000000");
        assert.equal(
          (await exec(["-i", "box", "sh", "-c", "cat >/dev/null; echo after"], "x")).stdout,
          "after\n",
        );
        assert.equal((await exec(["box", "cat"], "x")).stdout, "");
      });

      test("has the container's environment, folder and host name", async () => {
        const { stdout } = await exec(["box", "sh", "-c", "echo $FROM; pwd; hostname"]);
        assert.equal(stdout, "container\n/tmp\nhost\n");
      });

      test("takes environment, folder and user of its own", async () => {
        const flags = ["-e", "FROM=exec", "-e", "A=b c", "-w", "/etc", "-u", "1234:5678"];
        const { stdout } = await exec([...flags, "box", "sh", "-c", 'echo "$FROM $A"; pwd; id -u; id -g']);
        assert.equal(stdout, "exec b c\n/etc\n1234\n5678\n");
      });

      test("detached, it goes on by itself", async () => {
        const file = `/detached-${client.name.replaceAll(/\W/g, "")}`;
        assert.deepEqual(await exec(["-d", "box", "sh", "-c", `sleep 0.1; touch ${file}`]), {
          exitCode: 0,
          stdout: "",
          stderr: "",
        });
        await eventually(async () => (await exec(["box", "test", "-e", file])).exitCode === 0);
      });

      test("has a terminal of the window's size with -t, and follows it", async () => {
        const script = "test -t 0 && test -t 1 && while :; do stty size; sleep 0.05; done";
        await using session = await openTerminal([...client.argv, "exec", "-it", "box", "sh", "-c", script], {
          env: target.environment(),
          size: { rows: 30, columns: 90 },
        });
        await session.shows("30 90\r\n");
        await session.resize({ rows: 41, columns: 101 });
        await session.shows("41 101\r\n");
        session.write("\x03");
        assert.equal(await session.ended, 130);
      });

      test("can be left with the detach keys", async () => {
        await using session = await openTerminal([...client.argv, "exec", "-it", "box", "sh"], {
          env: target.environment(),
        });
        await session.shows("# ");
        session.write("\x10\x11");
        assert.equal(await session.ended, 1);
        assert.match(session.screen(), /read escape sequence/);
      });

      test("is refused when the container does not run, or is not there", async () => {
        await target.ok("create", "--name", "idle", "busybox");
        const idle = await exec(["idle", "true"]);
        assert.equal(idle.exitCode, 1);
        assert.match(idle.stderr, /[Cc]ontainer [0-9a-f]{64} is not running/);
        await target.ok("rm", "idle");
        const none = await exec(["nosuch", "true"]);
        assert.equal(none.exitCode, 1);
        assert.match(none.stderr, /No such container: nosuch/);
      });
    });
  }

  test("takes a user's groups and home from the container's files", async () => {
    await target.ok(
      "exec",
      "box",
      "sh",
      "-c",
      "echo 'u:x:55:66::/home/u:/bin/sh' >>/etc/passwd; echo 'g:x:77:u' >>/etc/group",
    );
    const told = await target.ok("exec", "-u", "u", "box", "sh", "-c", "id -u; id -G; echo $HOME");
    assert.equal(told, "55\n66 77\n/home/u\n");
    const unknown = await target.docker(["exec", "-u", "nobodyknows", "box", "true"]);
    assert.match(
      unknown.stdout + unknown.stderr,
      /unable to find user nobodyknows: no matching entries in passwd file/,
    );
  });

  const capabilities = async (...flags: string[]) =>
    (await target.ok("exec", ...flags, "box", "grep", "CapEff", "/proc/self/status")).trim();

  test("has the container's capabilities", async () => {
    assert.equal(await capabilities(), "CapEff:\t00000000a80425fb");
  });

  test("has all capabilities of the host with --privileged", hawserOnly, async () => {
    const host = await readFile("/proc/self/status", "utf8");
    assert.equal(await capabilities("--privileged"), /CapEff:.*/.exec(host)?.[0]);
  });

  test("many at once do not mix", async () => {
    const numbers = Array.from({ length: 12 }, (_, index) => `${index}`);
    const told = await Promise.all(
      numbers.map((number) => target.ok("exec", "box", "sh", "-c", `echo ${number}; exit 0`)),
    );
    assert.deepEqual(
      told,
      numbers.map((number) => `${number}\n`),
    );
  });

  test("tells what became of it, and cannot be started twice", async () => {
    const socket = target.socket();
    const created = await ask(socket, "POST /v1.41/containers/box/exec", {
      body: { Cmd: ["sh", "-c", "exit 8"], Env: ["A=b"], AttachStdout: true },
    });
    assert.equal(created.status, 201);
    const path = `/v1.41/exec/${textOf(created.json()["Id"])}`;
    const before = (await ask(socket, `GET ${path}/json`)).json();
    assert.deepEqual([before["Running"], before["ExitCode"]], [false, null]);
    assert.equal((await ask(socket, `POST ${path}/start`, { body: { Detach: true } })).status, 200);
    await eventually(async () => {
      const { ExitCode } = (await ask(socket, `GET ${path}/json`)).json();
      return textOf(ExitCode) === "8";
    });
    const told = (await ask(socket, `GET ${path}/json`)).json();
    assert.deepEqual(told["ProcessConfig"], {
      tty: false,
      entrypoint: "sh",
      arguments: ["-c", "exit 8"],
      privileged: false,
    });
    assert.equal((await ask(socket, `POST ${path}/start`, { body: { Detach: true } })).status, 409);
    assert.equal((await ask(socket, "GET /v1.41/exec/0123/json")).status, 404);
  });

  test("ends when the container ends", async () => {
    await target.ok("run", "-d", "--name", "short", "busybox", "sleep", "600");
    const running = target.docker(["exec", "short", "sleep", "600"]);
    await eventually(async () => (await target.ok("exec", "short", "ps")).match(/sleep 600/g)?.length === 2);
    await target.ok("kill", "short");
    assert.equal((await running).exitCode, 137);
    await target.ok("rm", "short");
  });
});
