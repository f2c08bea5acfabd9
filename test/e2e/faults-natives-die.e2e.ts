import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { errnoOf } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { ask } from "./kit-http.ts";
import { findCgroups, requireIdleAfterEach } from "./kit-idle.ts";
import { findProcesses } from "./kit-proc.ts";
import { runCommandOk } from "./kit-process.ts";
import { againstDockerd, useTarget } from "./kit-target.ts";

describe("a native program is killed", { skip: againstDockerd }, () => {
  const target = useTarget();
  requireIdleAfterEach(() => target.engine());
  const state = async (name: string) => (await target.inspect(name))["State"];
  const killAll = (pids: readonly number[]) => {
    assert.notEqual(pids.length, 0);
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if (errnoOf(error) !== "ESRCH") throw error; // it has ended by itself meanwhile
      }
    }
  };
  /** A container of three processes, of which the first does not end by itself when the others do. */
  const runFamily = async (name: string, ...options: readonly string[]) => {
    await target.ok(
      "run",
      "-d",
      "--name",
      name,
      ...options,
      "busybox",
      "sh",
      "-c",
      "sleep 999 & sleep 999 & wait",
    );
    const pids = await eventually(async () => {
      const first = Number((await state(name))?.["Pid"]);
      const all = [first, ...findProcesses(({ parent }) => parent === first).map(({ pid }) => pid)];
      return all.length === 3 && all;
    });
    return pids;
  };
  const isAlive = (pid: number) => findProcesses((entry) => entry.pid === pid).length > 0;

  test("the launcher: containers, execs and starts go on", async () => {
    const engine = target.engine();
    await target.ok("run", "-d", "--name", "first", "busybox", "sleep", "1000");
    const pid = (await state("first"))?.["Pid"];
    const [old] = engine.launchers();
    killAll(engine.launchers());
    assert.equal(await target.ok("exec", "first", "echo", "hello"), "hello\n");
    await target.ok("run", "-d", "--name", "second", "busybox", "sleep", "1000");
    assert.equal((await state("first"))?.["Pid"], pid);
    assert.equal(engine.launchers().length, 1);
    assert.notDeepEqual(engine.launchers(), [old]);
    await target.ok("stop", "-t", "0", "first", "second");
    await target.ok("rm", "first", "second");
  });

  test("the launcher, again and again, while containers start: none is lost", async () => {
    const engine = target.engine();
    const starts = Array.from({ length: 12 }, (_, index) =>
      target.docker(["run", "-d", "--name", `many-${index}`, "busybox", "sleep", "1000"]),
    );
    const done = Promise.all(starts);
    let over = false;
    void done.finally(() => {
      over = true;
    });
    for (let kills = 0; kills < 3 && !over; kills += 1) {
      // A look at the processes is no moment in time: what was seen is what is killed.
      const seen = await eventually(
        () => {
          const launchers = engine.launchers();
          return over || launchers.length === 1 ? launchers : undefined;
        },
        { what: "there is a launcher again" },
      );
      if (!over) killAll(seen);
    }
    for (const { exitCode, stderr } of await done) assert.equal(exitCode, 0, stderr);
    const ids = (await target.ok("ps", "-q")).trim().split("\n");
    assert.equal(ids.length, 12);
    assert.equal(engine.monitors().length, 12);
    await target.ok("rm", "-f", ...ids);
  });

  test("a monitor: its processes and cgroups go at once, and the container can start again", async () => {
    const engine = target.engine();
    const pids = await runFamily("orphan");
    const wait = target.docker(["wait", "orphan"]);
    killAll(engine.monitors());
    assert.equal((await wait).stdout, "137\n");
    await eventually(() => !pids.some(isAlive), { what: "its processes are gone" });
    await eventually(() => findCgroups(engine.cgroupParent).length === 0, { what: "its cgroups too" });
    assert.deepEqual([(await state("orphan"))?.["Status"], (await state("orphan"))?.["Pid"]], ["exited", 0]);
    await target.ok("start", "orphan");
    assert.equal(await target.ok("exec", "orphan", "echo", "again"), "again\n");
    await target.ok("rm", "-f", "orphan");
  });

  test("a monitor that has been asked to end its container: whoever asked has what was wanted", async () => {
    for (const how of [["rm", "-f"], ["stop"], ["kill"]]) {
      await runFamily("asked");
      const [monitor = 0] = target.engine().monitors();
      process.kill(monitor, "SIGSTOP");
      const asking = target.docker([...how, "asked"]);
      await eventually(() => hasUnread(monitor), { what: "the engine waits for an answer" });
      killAll([monitor]);
      const { exitCode, stderr } = await asking;
      assert.equal(exitCode, 0, `${how.join(" ")}: ${stderr}`);
      await target.docker(["rm", "-f", "asked"]);
    }
  });

  test("the monitor of a container that removes itself: it is gone", async () => {
    await runFamily("orphan", "--rm");
    killAll(target.engine().monitors());
    await eventually(async () => (await target.ok("ps", "-aq")) === "");
  });

  test("a monitor, without an engine: the next one cleans up", async () => {
    const engine = target.engine();
    const pids = await runFamily("orphan");
    await engine.kill();
    killAll(engine.monitors());
    await engine.start();
    assert.equal((await state("orphan"))?.["Status"], "exited");
    assert.notEqual((await state("orphan"))?.["ExitCode"], 0);
    assert.ok(!pids.some(isAlive), "its processes are gone before the engine answers");
    await target.ok("start", "orphan");
    await target.ok("rm", "-f", "orphan");
  });

  test("everything at once, and the run folders with it, as when the machine loses power", async () => {
    const engine = target.engine();
    await runFamily("runs");
    await target.ok("run", "-d", "--name", "removes-itself", "--rm", "busybox", "sleep", "1000");
    await target.ok("create", "--name", "created", "busybox", "true");
    assert.equal(
      (await target.docker(["run", "--name", "ended", "busybox", "sh", "-c", "echo said; exit 4"])).exitCode,
      4,
    );
    await engine.kill();
    const inContainers = new Set(findCgroups(engine.cgroupParent).flatMap(processesIn));
    killAll([...engine.launchers(), ...engine.monitors(), ...inContainers]);
    await eventually(() => engine.monitors().length + engine.launchers().length === 0);
    await eventually(() => ![...inContainers].some(isAlive));
    for (const name of await readdir(engine.execRoot))
      await rm(join(engine.execRoot, name), { recursive: true });
    await engine.start();

    assert.deepEqual(
      [(await state("runs"))?.["Status"], (await state("runs"))?.["ExitCode"]],
      ["exited", 255],
    );
    assert.equal((await state("created"))?.["Status"], "created");
    assert.deepEqual(
      [(await state("ended"))?.["Status"], (await state("ended"))?.["ExitCode"]],
      ["exited", 4],
    );
    assert.equal(await target.ok("logs", "ended"), "said\n");
    assert.equal(await target.ok("ps", "-aq", "--filter", "name=removes-itself"), "");
    await target.ok("start", "runs", "created");
    await target.ok("rm", "-f", "runs", "created", "ended");
  });

  test("everything at once, with sockets, pid file and run folders left, as when all is killed", async () => {
    const engine = target.engine();
    const pids = await runFamily("runs");
    await engine.kill();
    killAll([...engine.launchers(), ...engine.monitors()]);
    await engine.start();
    assert.equal((await state("runs"))?.["Status"], "exited");
    assert.ok(!pids.some(isAlive));
    await target.ok("start", "runs");
    await target.ok("rm", "-f", "runs");
    assert.equal((await ask(target.socket(), "GET /_ping")).status, 200);
  });
});

/** Whether a process has been told something by a unix socket that it has not looked at. */
async function hasUnread(pid: number): Promise<boolean> {
  const sockets = (await runCommandOk(["ss", "-xpnH"])).split("\n");
  return sockets.some((line) => {
    const [, , received] = line.split(/\s+/);
    return line.includes(`pid=${pid},`) && Number(received) > 0;
  });
}

/** None when the cgroup is gone. */
function processesIn(cgroup: string): number[] {
  const path = join(cgroup, "cgroup.procs");
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map(Number);
}
