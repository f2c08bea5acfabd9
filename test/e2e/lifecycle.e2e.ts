import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { ask } from "./kit-http.ts";
import { againstDockerd, clients, runClient, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const patient = ["busybox", "sleep", "600"];
/** Ends at once when it is asked to, with a code of its own. */
const polite = ["busybox", "sh", "-c", 'trap "exit 3" TERM; echo ready; while :; do sleep 0.02; done'];

const stateOf = async (name: string) => (await target.inspect(name))["State"];
const statusOf = async (name: string) => textOf((await stateOf(name))?.["Status"]);
const exitCodeOf = async (name: string) => Number(textOf((await stateOf(name))?.["ExitCode"]));
const call = (what: string) => ask(target.socket(), what);

async function startPolite(name: string, ...flags: string[]): Promise<void> {
  await target.ok("run", "-d", "--name", name, ...flags, ...polite);
  await eventually(async () => (await target.ok("logs", name)) === "ready\n");
}

for (const [number, client] of clients.entries()) {
  describe(`the life of a container, by ${client.name}`, () => {
    const life = `life-${number}`;
    const run = (...args: string[]) => runClient(target, client, { args });
    const told = { exitCode: 0, stdout: `${life}\n`, stderr: "" };

    test("created, running, exited, running, gone", async () => {
      assert.match((await run("create", "--name", life, ...patient)).stdout, /^[0-9a-f]{64}\n$/);
      assert.equal(await statusOf(life), "created");
      assert.deepEqual(await run("start", life), told);
      assert.equal(await statusOf(life), "running");
      assert.deepEqual(await run("stop", "-t", "0", life), told);
      assert.deepEqual([await statusOf(life), await exitCodeOf(life)], ["exited", 137]);
      assert.deepEqual(await run("restart", life), told);
      assert.equal(await statusOf(life), "running");
      assert.deepEqual(await run("kill", life), told);
      assert.deepEqual(await run("rm", life), told);
      assert.equal((await target.docker(["inspect", life])).exitCode, 1);
    });

    test("several at once; one that fails does not keep the others", async () => {
      const names = [`a-${number}`, `b-${number}`];
      for (const name of names) await target.ok("create", "--name", name, ...patient);
      const started = await run("start", ...names, "nosuch");
      assert.equal(started.exitCode, 1);
      assert.equal(started.stdout, `${names.join("\n")}\n`);
      assert.match(started.stderr, /No such container: nosuch/);
      const removed = await run("rm", "-f", ...names);
      assert.deepEqual(removed, { exitCode: 0, stdout: `${names.join("\n")}\n`, stderr: "" });
    });

    test("wait tells the exit codes, in order", async () => {
      for (const code of [4, 0]) {
        await target.ok(
          "run",
          "-d",
          "--name",
          `w${code}-${number}`,
          "busybox",
          "sh",
          "-c",
          `sleep 0.1; exit ${code}`,
        );
      }
      assert.equal((await run("wait", `w4-${number}`, `w0-${number}`)).stdout, "4\n0\n");
    });

    test("a running one is removed only by force", async () => {
      await target.ok("run", "-d", "--name", `busy-${number}`, ...patient);
      const { exitCode, stderr } = await run("rm", `busy-${number}`);
      assert.equal(exitCode, 1);
      assert.match(
        stderr,
        /[Cc]annot remove .*container.*running.*stop the container before|You cannot remove a running container/,
      );
      assert.equal((await run("rm", "-f", `busy-${number}`)).exitCode, 0);
    });

    test("a name is taken once", async () => {
      await target.ok("create", "--name", `taken-${number}`, ...patient);
      const { exitCode, stderr } = await run("create", "--name", `taken-${number}`, "busybox");
      assert.equal(exitCode, 1);
      assert.match(
        stderr,
        new RegExp(
          `Conflict\\. The container name "/taken-${number}" is already in use by container "?[0-9a-f]{64}"?\\. You have to remove \\(or rename\\) that container to be able to reuse that name\\.`,
        ),
      );
      await target.ok("rm", `taken-${number}`);
      assert.equal((await run("create", "--name", `taken-${number}`, "busybox")).exitCode, 0);
    });

    test("the id goes to a file with --cidfile, which must not be there", async () => {
      await using dir = await openTempDir();
      const file = join(dir.path, "id");
      const { stdout } = await run("create", "--cidfile", file, "busybox");
      assert.equal(await readFile(file, "utf8"), stdout.trim());
      assert.match((await run("create", "--cidfile", file, "busybox")).stderr, /container ID file found/i);
    });
  });
}

describe("stop", () => {
  test("asks with SIGTERM and keeps the program's own exit code", async () => {
    await startPolite("polite");
    await target.ok("stop", "polite");
    assert.equal(await exitCodeOf("polite"), 3);
  });

  test("asks with the container's stop signal", async () => {
    const script = 'trap "exit 4" USR1; echo ready; while :; do sleep 0.02; done';
    await target.ok("run", "-d", "--name", "usr1", "--stop-signal", "USR1", "busybox", "sh", "-c", script);
    await eventually(async () => (await target.ok("logs", "usr1")) === "ready\n");
    await target.ok("stop", "usr1");
    assert.equal(await exitCodeOf("usr1"), 4);
  });

  test("waits as long as the container says, then kills", async () => {
    await target.ok("run", "-d", "--name", "deaf", "--stop-timeout", "1", ...patient);
    const started = performance.now();
    await target.ok("stop", "deaf");
    const took = performance.now() - started;
    assert.ok(took >= 1000 && took < 9000, `${took} ms`);
    assert.equal(await exitCodeOf("deaf"), 137);
  });

  test("what is so already is not modified: 304", async () => {
    await target.ok("create", "--name", "still", ...patient);
    assert.equal((await call("POST /containers/still/stop")).status, 304);
    assert.equal((await call("POST /containers/still/start")).status, 204);
    assert.equal((await call("POST /containers/still/start")).status, 304);
    assert.equal((await call("POST /containers/still/stop?t=0")).status, 204);
    assert.equal((await call("POST /containers/still/stop")).status, 304);
  });
});

describe("kill", () => {
  test("sends any signal, by name or number, and the container may live on", async () => {
    const script = 'trap "echo one" USR1; trap "echo two" USR2; echo ready; while :; do sleep 0.02; done';
    await target.ok("run", "-d", "--name", "signalled", "busybox", "sh", "-c", script);
    const logs = async (wanted: string) =>
      await eventually(async () => (await target.ok("logs", "signalled")) === wanted);
    await logs("ready\n");
    await target.ok("kill", "-s", "SIGUSR1", "signalled");
    await logs("ready\none\n");
    await target.ok("kill", "-s", "12", "signalled");
    await logs("ready\none\ntwo\n");
    assert.equal(await statusOf("signalled"), "running");
  });

  test("refuses what does not run, and signals that do not exist", async () => {
    await target.ok("create", "--name", "dull", ...patient);
    const idle = await call("POST /containers/dull/kill");
    assert.equal(idle.status, 409);
    assert.match(
      textOf(idle.json()["message"]),
      /^cannot kill container: (dull|[0-9a-f]{64}): container [0-9a-f]{64} is not running$/i,
    );
    await target.ok("start", "dull");
    assert.equal((await call("POST /containers/dull/kill?signal=SIGNOSUCH")).status, 400);
  });
});

describe("wait", () => {
  test("not-running answers at once for a container that has ended, next-exit waits for another end", async () => {
    await target.docker(["run", "--name", "ended", "busybox", "sh", "-c", "exit 5"]);
    const now = await call("POST /containers/ended/wait");
    assert.equal(textOf(now.json()["StatusCode"]), "5");
    const next = call("POST /containers/ended/wait?condition=next-exit");
    await target.ok("start", "ended");
    assert.equal(textOf((await next).json()["StatusCode"]), "5");
  });

  test("removed gives the real exit code of a container that removes itself", async () => {
    const created = await target.ok("create", "--rm", "busybox", "sh", "-c", "exit 6");
    const removed = call(`POST /containers/${created.trim()}/wait?condition=removed`);
    await target.ok("start", created.trim());
    assert.equal(textOf((await removed).json()["StatusCode"]), "6");
    assert.equal((await call(`GET /containers/${created.trim()}/json`)).status, 404);
  });

  test("knows three conditions", async () => {
    await target.ok("create", "--name", "any", "busybox");
    assert.equal(
      (await call("POST /containers/any/wait?condition=nosuch")).status,
      againstDockerd ? 200 : 400,
    );
    assert.equal((await call("POST /containers/nosuch/wait")).status, 404);
  });
});

describe("a container", () => {
  test("keeps its files over restarts; another one of the same image has none of them", async () => {
    await target.ok(
      "run",
      "--name",
      "writer",
      "busybox",
      "sh",
      "-c",
      "echo x >>/file; wc -l </file; rm -rf /bin/ls",
    );
    await target.ok("start", "-a", "writer");
    assert.equal(await target.ok("logs", "writer"), "1\n2\n");
    assert.equal(
      await target.ok("run", "--rm", "busybox", "sh", "-c", "ls -d /file 2>&1; ls -d /bin"),
      "ls: /file: No such file or directory\n/bin\n",
    );
  });

  test("gets another process, and keeps its id, over a restart", async () => {
    await target.ok("run", "-d", "--name", "reborn", ...patient);
    const before = await target.inspect("reborn");
    await target.ok("restart", "-t", "0", "reborn");
    const after = await target.inspect("reborn");
    assert.equal(after["Id"], before["Id"]);
    assert.notEqual(after["State"]?.["Pid"], before["State"]?.["Pid"]);
    assert.notEqual(after["State"]?.["StartedAt"], before["State"]?.["StartedAt"]);
  });

  test("answers to its id, to enough of its beginning, and to its name with a slash", async () => {
    const id = (await target.ok("create", "--name", "known", "busybox")).trim();
    for (const name of [id, id.slice(0, 12), id.slice(0, 6), "known", "/known"]) {
      assert.equal((await target.ok("inspect", "--format", "{{.Id}}", name)).trim(), id);
    }
  });

  test("whose program is not there stays created, with the reason", async () => {
    assert.equal((await target.docker(["run", "--name", "broken", "busybox", "nosuch"])).exitCode, 127);
    const state = await stateOf("broken");
    assert.deepEqual([state?.["Status"], state?.["ExitCode"]], ["created", 127]);
    assert.match(textOf(state?.["Error"]), /"nosuch": executable file not found in \$PATH/);
    await target.ok("rm", "broken");
  });

  test("with --rm is gone when it has ended, however it ended", async () => {
    for (const end of ["stop", "kill"]) {
      await startPolite(`auto-${end}`, "--rm");
      await target.ok(end, `auto-${end}`);
      await eventually(async () => (await call(`GET /containers/auto-${end}/json`)).status === 404);
    }
  });

  test("with --rm keeps its files over a restart", async () => {
    await startPolite("auto-restart", "--rm");
    await target.ok("exec", "auto-restart", "touch", "/file");
    await target.ok("restart", "auto-restart");
    await target.ok("exec", "auto-restart", "ls", "/file");
    await target.ok("kill", "auto-restart");
  });

  test("removed by force while it is restarted is gone", async () => {
    for (const flags of [[], ["--rm"]]) {
      const deaf = 'trap "echo asked" TERM; echo ready; while :; do sleep 0.1; done';
      await target.ok("run", "-d", "--name", "torn", ...flags, "busybox", "sh", "-c", deaf);
      await eventually(async () => (await target.ok("logs", "torn")) === "ready\n");
      const restart = target.docker(["restart", "-t", "20", "torn"]);
      await eventually(async () => (await target.ok("logs", "torn")) === "ready\nasked\n");
      await target.ok("rm", "-f", "torn");
      assert.equal((await restart).exitCode, 1);
      assert.equal((await call("GET /containers/torn/json")).status, 404);
    }
  });

  test("waits for the disk when it ends, unless it is removed then", { skip: againstDockerd }, async () => {
    const command = ["busybox", "grep", "-c", "^overlay / overlay .*[,=]volatile", "/proc/mounts"];
    assert.equal(await target.ok("run", "--rm", ...command), "1\n");
    assert.equal((await target.docker(["run", "--name", "kept", ...command])).stdout, "0\n");
  });

  test("of an unknown name is not found", async () => {
    for (const what of [
      "GET /containers/nosuch/json",
      "POST /containers/nosuch/start",
      "DELETE /containers/nosuch",
    ]) {
      const { status, text } = await call(what);
      assert.deepEqual([status, text], [404, '{"message":"No such container: nosuch"}\n']);
    }
  });
});
