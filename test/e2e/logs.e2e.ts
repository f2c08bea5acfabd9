import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { startProgram } from "./kit-process.ts";
import { clients, hawserOnly, runClient, useTarget } from "./kit-target.ts";

const target = useTarget();

/** A container that has written what the script writes, and ended. */
async function written(name: string, script: string, ...flags: readonly string[]): Promise<string> {
  await target.docker(["run", "--name", name, ...flags, "busybox", "sh", "-c", script]);
  return name;
}

for (const [number, client] of clients.entries()) {
  const logs = (...args: string[]) => runClient(target, client, { args: ["logs", ...args] });
  const named = (name: string) => `${name}-${number}`;

  describe(`logs, by ${client.name}`, () => {
    test("keep the streams apart", async () => {
      const name = await written(named("apart"), "echo out; echo err >&2");
      assert.deepEqual(await logs(name), { exitCode: 0, stdout: "out\n", stderr: "err\n" });
    });

    test("give the last lines", async () => {
      const name = await written(named("tail"), "seq 1 100");
      const tail = async (count: string) => (await logs("--tail", count, name)).stdout;
      assert.equal(await tail("3"), "98\n99\n100\n");
      assert.equal(await tail("0"), "");
      assert.equal((await tail("all")).split("\n").length, 101);
      assert.equal((await tail("1000")).split("\n").length, 101);
    });

    test("tell the time of every line, and show those of a time", async () => {
      const name = await written(named("times"), "for i in 1 2 3; do echo $i; sleep 0.02; done");
      const { stdout } = await logs("--timestamps", name);
      const lines = stdout.trimEnd().split("\n");
      for (const line of lines) assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z [123]$/);
      const [, second = ""] = lines.map((line) => line.split(" ")[0] ?? "");
      assert.equal((await logs("--since", second, name)).stdout, "2\n3\n");
      assert.equal((await logs("--until", second, name)).stdout, "1\n2\n");
      assert.equal((await logs("--since", "1h", name)).stdout, "1\n2\n3\n");
      assert.equal((await logs("--until", "1h", name)).stdout, "");
    });

    test("follow a container to its end", async () => {
      const name = named("followed");
      const script = "echo before; while [ ! -e /go ]; do sleep 0.02; done; echo after; exit 3";
      await target.ok("run", "-d", "--name", name, "busybox", "sh", "-c", script);
      await using dir = await openTempDir();
      const follower = await startProgram([...client.argv, "logs", "--follow", name], {
        log: join(dir.path, "log"),
        env: target.environment(),
      });
      await eventually(() => follower.output() === "before\n");
      await target.docker(["exec", name, "touch", "/go"]); // the container's end may take it along
      assert.equal(await follower.ended, 0);
      assert.equal(follower.output(), "before\nafter\n");
    });

    test("of an unknown container are an error", async () => {
      const { exitCode, stderr } = await logs("nosuch");
      assert.equal(exitCode, 1);
      assert.match(stderr, /No such container: nosuch/);
    });
  });
}

describe("logs", () => {
  test("of a terminal are one stream with its carriage returns", async () => {
    const name = await written("terminal", "echo out; echo err >&2", "-t");
    assert.deepEqual(await target.docker(["logs", name]), {
      exitCode: 0,
      stdout: "out\r\nerr\r\n",
      stderr: "",
    });
  });

  test("keep a long line whole, and a line without end as it is", async () => {
    const name = await written("long", "head -c 100000 /dev/zero | tr '\\0' x; echo; printf end");
    const stdout = await target.ok("logs", name);
    assert.equal(stdout, `${"x".repeat(100_000)}\nend`);
    assert.equal((await target.ok("logs", "--tail", "1", name)).slice(-3), "end");
  });

  test("keep bytes that are no text", async () => {
    const name = await written("bytes", "printf '\\377\\001\\n' | od -An -tx1 -v; printf 'a\\000b\\n'");
    assert.equal(await target.ok("logs", name), " ff 01 0a\na\0b\n");
  });

  test("follow from the last lines on, across rotations, without a gap", hawserOnly, async () => {
    const limits = ["--log-opt", "max-size=20k", "--log-opt", "max-file=3"];
    await using dir = await openTempDir();
    const flags = ["--name", "rotated", "--volume", `${dir.path}:/read`, ...limits];
    await target.ok("run", "-d", ...flags, "busybox", "sh", "-c", `echo first; awk '${lines}'; echo last`);
    const docker = clients[0]?.argv ?? [];
    const follower = await startProgram([...docker, "logs", "-f", "--tail", "1", "rotated"], {
      log: join(dir.path, "log"),
      env: target.environment(),
    });
    await eventually(() => follower.output() === "first\n");
    for (let read = 0; read < 3000; read += 200) {
      await writeFile(join(dir.path, `${read}`), "");
      await eventually(() => follower.output().includes(`line ${read + 200}\n`));
    }
    await follower.ended;
    const followed = follower.output().trimEnd().split("\n");
    assert.equal(followed.at(-1), "last");
    assert.equal(followed.length, 3002);
  });

  test("are bounded by their options: the newest are kept", async () => {
    const limits = ["--log-opt", "max-size=10k", "--log-opt", "max-file=2"];
    const name = await written("bounded", "seq 1 5000", ...limits);
    const lines = (await target.ok("logs", name)).trimEnd().split("\n");
    assert.equal(lines.at(-1), "5000");
    assert.ok(lines.length > 50 && lines.length < 1000, `${lines.length} lines`);
    assert.equal(await target.ok("logs", "--tail", "2", name), "4999\n5000\n");
  });

  test("go on over restarts", async () => {
    const name = await written("again", "echo run");
    await target.ok("start", "-a", name);
    assert.equal(await target.ok("logs", name), "run\nrun\n");
  });

  test("are not kept by the driver none", async () => {
    const name = await written("none", "echo lost", "--log-driver", "none");
    const { exitCode, stderr } = await target.docker(["logs", name]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /configured logging driver does not support reading/);
  });

  test("go away with the container", async () => {
    await target.ok("run", "--rm", "--name", "gone", "busybox", "echo", "x");
    assert.match((await target.docker(["logs", "gone"])).stderr, /No such container: gone/);
  });
});

/** 3000 lines, more than three log files hold; but never more than a file at once: then it waits until those are read. */
const wait = 'system("while [ ! -e /read/" i " ]; do sleep 0.02; done")';
const lines = `BEGIN { for (i = 0; i < 3000;) { if (i % 200 == 0) { fflush(); ${wait} } print "line", ++i } }`;
