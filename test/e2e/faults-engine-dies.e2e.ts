import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { eventually, openTempDir } from "@hawser/base/testing";
import { ask, openRaw, readFrames, splitHead } from "./kit-http.ts";
import { listContainers, requireIdleAfterEach, wordOf } from "./kit-idle.ts";
import { againstDockerd, type Target, useTarget } from "./kit-target.ts";

/** Signals from the test to what runs in containers: a file in a folder that they share. */
const resources = new AsyncDisposableStack();
let shared = "";

describe("the engine dies", { skip: againstDockerd }, () => {
  const target = useTarget();
  before(async () => {
    shared = resources.use(await openTempDir("hawser-e2e-shared-")).path;
  });
  after(() => resources.disposeAsync());
  requireIdleAfterEach(() => target.engine());

  const run = async (name: string, ...args: readonly string[]) =>
    (await target.ok("run", "-d", "--name", name, "--volume", `${shared}:/shared`, ...args)).trim();
  const tell = (file: string) => writeFile(join(shared, file), "");
  const state = async (name: string) => (await target.inspect(name))["State"];
  const waitFor = (file: string) => `while [ ! -e /shared/${file} ]; do sleep 0.05; done`;

  for (const end of ["kill", "stop"] as const) {
    const how = end === "kill" ? "by kill -9" : "by SIGTERM";

    test(`${how} while containers run: they notice nothing, nor do those who are attached`, async () => {
      const engine = target.engine();
      await run(
        "plain",
        "busybox",
        "sh",
        "-c",
        `echo before; ${waitFor(`${end}-go`)}; echo after; sleep 1000`,
      );
      await run("held", "-i", "busybox", "cat");
      const pids = [(await state("plain"))?.["Pid"], (await state("held"))?.["Pid"]];
      using attached = openRaw(
        target.socket(),
        "POST /containers/held/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
      );
      await attached.until((text) => text.includes("\r\n\r\n"));
      const heard = () => readFrames(splitHead(attached.received()).body).map(([, text]) => text);
      attached.socket.write("one\n");
      await eventually(() => heard().join("") === "one\n");

      await engine[end]();
      await tell(`${end}-go`);
      attached.socket.write("two\n");
      await eventually(() => heard().join("") === "one\ntwo\n", {
        what: "the session goes on without an engine",
      });

      await engine.start();
      assert.deepEqual([(await state("plain"))?.["Pid"], (await state("held"))?.["Pid"]], pids);
      attached.socket.write("three\n");
      await eventually(() => heard().join("") === "one\ntwo\nthree\n");
      await eventually(async () => (await target.ok("logs", "plain")) === "before\nafter\n");
      assert.equal(await target.ok("logs", "held"), "one\ntwo\nthree\n");
      assert.equal(await target.ok("exec", "plain", "echo", "hello"), "hello\n");
      await target.ok("stop", "-t", "0", "plain", "held");
      await attached.ended;
      assert.equal((await state("plain"))?.["ExitCode"], 137);
      await target.ok("rm", "plain", "held");
    });
  }

  test("what ends while no engine runs is known to the next one", async () => {
    const engine = target.engine();
    await run("ends", "busybox", "sh", "-c", `echo begin; ${waitFor("end")}; echo end; exit 5`);
    await run("removes-itself", "--rm", "busybox", "sh", "-c", waitFor("end"));
    await run("stays", "busybox", "sleep", "1000");
    const created = await ask(target.socket(), "POST /containers/stays/exec", {
      body: { Cmd: ["sh", "-c", `${waitFor("end")}; exit 7`], AttachStdout: true },
    });
    const exec = wordOf(created.json()["Id"]);
    const still = await ask(target.socket(), "POST /containers/stays/exec", {
      body: { Cmd: ["sleep", "1000"] },
    });
    const stillRuns = wordOf(still.json()["Id"]);
    for (const id of [exec, stillRuns]) {
      assert.equal(
        (await ask(target.socket(), `POST /exec/${id}/start`, { body: { Detach: true } })).status,
        200,
      );
    }
    const execs = async (id: string) => (await ask(target.socket(), `GET /exec/${id}/json`)).json();
    assert.equal((await execs(exec))["Running"], true);

    await engine.kill();
    const before = new Date();
    await tell("end");
    await eventually(() => engine.monitors().length === 1, { what: "two of three containers have ended" });
    await engine.start();

    const ended = await state("ends");
    assert.deepEqual([ended?.["Status"], ended?.["ExitCode"], ended?.["Error"]], ["exited", 5, ""]);
    assert.ok(new Date(wordOf(ended?.["FinishedAt"])) >= before, "the time of the end is the true one");
    assert.equal(await target.ok("logs", "ends"), "begin\nend\n");
    assert.equal(await target.ok("wait", "ends"), "5\n");
    await eventually(async () => (await target.ok("ps", "-aq", "--filter", "name=removes-itself")) === "");
    await eventually(async () => (await execs(exec))["Running"] === (false as never));
    assert.equal((await execs(exec))["ExitCode"], 7);
    assert.equal((await execs(stillRuns))["Running"], true);
    await target.ok("rm", "-f", "ends", "stays");
  });

  test("while a container stops: it ends or runs, and both can be told", async () => {
    const engine = target.engine();
    const polite = `trap 'echo asked; ${waitFor("stop")}; exit 3' TERM; echo ready; while :; do sleep 0.05; done`;
    const deaf = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done";
    await run("polite", "busybox", "sh", "-c", polite);
    await run("deaf", "busybox", "sh", "-c", deaf);
    const says = (name: string, text: string) =>
      eventually(async () => (await target.ok("logs", name)).includes(text), {
        what: `${name} says ${text}`,
      });
    for (const name of ["polite", "deaf"]) await says(name, "ready");
    const stops = ["polite", "deaf"].map((name) => target.docker(["stop", "-t", "60", name]));
    for (const name of ["polite", "deaf"]) await says(name, "asked");
    await engine.kill();
    for (const stop of stops)
      assert.notEqual((await stop).exitCode, 0, "a client that lost its engine says so");
    await tell("stop");
    await engine.start();
    await eventually(async () => (await state("polite"))?.["ExitCode"] === (3 as never));
    assert.equal((await state("deaf"))?.["Running"], true);
    await target.ok("stop", "-t", "0", "deaf");
    assert.equal((await state("deaf"))?.["ExitCode"], 137);
    await target.ok("start", "polite");
    await target.ok("rm", "-f", "polite", "deaf");
  });

  test("at any moment of creating, starting and removing: nothing acknowledged is lost, nothing is half", async () => {
    const engine = target.engine();
    const rounds = 8;
    const begun = performance.now();
    const whole = await beginWork(target.socket(), []);
    await whole.done;
    const durationMs = performance.now() - begun;
    let there = await checkRecovered(target, whole.acknowledged, "without a kill");
    for (let round = 0; round < rounds; round += 1) {
      const atMs = (durationMs * (round + Math.random())) / rounds;
      const { acknowledged, done } = await beginWork(target.socket(), there);
      await delay(atMs); // the moment is what is tried, not something to wait for
      await engine.kill();
      await done;
      await engine.start();
      there = await checkRecovered(target, acknowledged, `killed ${atMs.toFixed(1)} ms after the work began`);
    }
    await target.ok("rm", "-f", ...there);
  });
});

/** What an engine had answered before it died. */
interface Acknowledged {
  readonly created: Set<string>;
  readonly started: Set<string>;
  readonly selfRemoving: Set<string>;
  readonly removed: Set<string>;
}

/** Create, start and remove at the same time. Requests that are cut off are over, without a word, when `done` settles. */
async function beginWork(
  socket: string,
  removable: readonly string[],
): Promise<{ readonly acknowledged: Acknowledged; readonly done: Promise<unknown> }> {
  const acknowledged = {
    created: new Set<string>(),
    started: new Set<string>(),
    selfRemoving: new Set<string>(),
    removed: new Set<string>(),
  };
  const make = async (AutoRemove: boolean) => {
    const Cmd = AutoRemove ? ["true"] : ["sleep", "1000"];
    const created = await ask(socket, "POST /containers/create", {
      body: { Image: "busybox", Cmd, HostConfig: { AutoRemove } },
    });
    assert.equal(created.status, 201, created.text);
    const id = wordOf(created.json()["Id"]);
    (AutoRemove ? acknowledged.selfRemoving : acknowledged.created).add(id);
    const started = await ask(socket, `POST /containers/${id}/start`);
    assert.equal(started.status, 204, started.text);
    if (!AutoRemove) acknowledged.started.add(id);
  };
  const remove = async (id: string) => {
    const removed = await ask(socket, `DELETE /containers/${id}?force=1`);
    assert.equal(removed.status, 204, removed.text);
    acknowledged.removed.add(id);
  };
  const all = [...[true, true, false, false, false, false].map(make), ...removable.map(remove)].map((work) =>
    work.catch((error: unknown) => {
      if (!/ECONNRESET|ECONNREFUSED|ENOENT|EPIPE|socket hang up|aborted/.test(String(error))) throw error;
    }),
  );
  return { acknowledged, done: Promise.all(all) };
}

/** Compare what was acknowledged with what is there. Returns the ids of all containers, each of which runs now. */
async function checkRecovered(target: Target, seen: Acknowledged, when: string): Promise<string[]> {
  const engine = target.engine();
  const list = async () =>
    (await listContainers(engine)).map((entry) => ({
      id: wordOf(entry["Id"]),
      running: wordOf(entry["State"]) === "running",
      address: wordOf(entry["NetworkSettings"]?.["Networks"]?.["bridge"]?.["IPAddress"]),
    }));
  await eventually(async () => (await list()).every(({ id }) => !seen.selfRemoving.has(id)), {
    what: `${when}: containers that remove themselves are gone`,
  });
  const found = await list();
  const ids = found.map(({ id }) => id);
  const running = found.filter((entry) => entry.running);
  for (const id of seen.created) assert.ok(ids.includes(id), `${when}: ${id}, created, is there`);
  for (const id of seen.removed) assert.ok(!ids.includes(id), `${when}: ${id}, removed, is not there`);
  for (const id of seen.started) {
    assert.ok(
      running.some((entry) => entry.id === id),
      `${when}: ${id}, started, runs`,
    );
  }
  const runsAsFolders = async () => (await readdir(join(engine.execRoot, "containers"))).toSorted();
  await eventually(() => engine.monitors().length === running.length, {
    what: `${when}: a monitor for each container that runs`,
  });
  await eventually(
    async () => isDeepStrictEqual(await runsAsFolders(), running.map(({ id }) => id).toSorted()),
    {
      what: `${when}: a run folder for each container that runs`,
    },
  );
  for (const { id } of found.filter((entry) => !entry.running)) {
    assert.equal(
      (await ask(engine.socket, `POST /containers/${id}/start`)).status,
      204,
      `${when}: ${id} starts`,
    );
  }
  const addresses = (await list()).map(({ address }) => address);
  assert.ok(
    addresses.every((address) => /^\d+\./.test(address)) && new Set(addresses).size === addresses.length,
    `${when}: an address for each, not ${addresses.join(", ")}`,
  );
  return ids;
}
