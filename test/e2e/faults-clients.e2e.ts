import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { type Answer, ask, openRaw, type RawConnection } from "./kit-http.ts";
import {
  descriptorsOf,
  findCgroups,
  listContainers,
  memoryOf,
  requireIdleAfterEach,
  wordOf,
} from "./kit-idle.ts";
import { againstDockerd, useTarget } from "./kit-target.ts";

const megabyte = 1024 * 1024;
const upgrade = "HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n";
const plain = "HTTP/1.1\r\nHost: x\r\n\r\n";

describe("containers and clients that behave badly", { skip: againstDockerd }, () => {
  const target = useTarget();
  requireIdleAfterEach(() => target.engine());

  const run = async (name: string, ...args: readonly string[]) => {
    await target.ok("run", "-d", "--name", name, ...args);
    return wordOf((await target.inspect(name))["Id"]);
  };
  /** Whether others are served while `condition` is not yet true: every answer, but for the time that a processor was waited for. */
  const othersAreServedUntil = async (condition: () => boolean) => {
    const slowestMs = { "/_ping": 0, "/containers/json": 0 };
    const clock = () => performance.now() - waitedMs(process.pid) - waitedMs(target.engine().pid());
    await eventually(
      async () => {
        for (const path of ["/_ping", "/containers/json"] as const) {
          const asked = clock();
          assert.equal((await ask(target.socket(), `GET ${path}`)).status, 200);
          slowestMs[path] = Math.max(slowestMs[path], clock() - asked);
        }
        return condition();
      },
      { deadlineMs: 30_000 },
    );
    for (const [path, ms] of Object.entries(slowestMs)) {
      assert.ok(ms < 1000, `the slowest ${path} took ${ms.toFixed(0)} ms`);
    }
  };
  const monitorOf = () => {
    const [pid] = target.engine().monitors();
    assert.ok(pid);
    return pid;
  };

  test("a container that forks without end is held by its limit", async () => {
    const before = await run("calm", "busybox", "sleep", "1000");
    await run("bomb", "--pids-limit", "60", "busybox", "awk", 'BEGIN { while (1) system("sleep 1000 &") }');
    const folder = findCgroups(target.engine().cgroupParent).find(
      (path) => path.includes("/pids/") && !path.includes(before),
    );
    assert.ok(folder);
    const refused = () => readNumber(join(folder, "pids.events"), /max (\d+)/);
    await othersAreServedUntil(() => refused() > 500);
    assert.ok(readNumber(join(folder, "pids.current"), /(\d+)/) <= 60);
    assert.equal(await target.ok("exec", "calm", "echo", "hello"), "hello\n");
    const exec = await target.docker(["exec", "bomb", "true"]);
    assert.notEqual(exec.exitCode, null);
    await target.ok("rm", "-f", "bomb", "calm");
  });

  test("a container that writes at full speed, with nobody reading, fills neither disk nor memory", async () => {
    const engine = target.engine();
    const id = await run(
      "flood",
      "--log-opt",
      "max-size=2m",
      "--log-opt",
      "max-file=3",
      "busybox",
      "yes",
      "x".repeat(200),
    );
    const folder = join(engine.dataRoot, "containers", id);
    const memory = memoryOf(engine.pid());
    let largest = 0;
    await othersAreServedUntil(() => {
      const sizes = readdirSync(folder).map((name) => sizeOf(join(folder, name)));
      largest = Math.max(
        largest,
        sizes.reduce((sum, size) => sum + size, 0),
      );
      return readNumber(`/proc/${monitorOf()}/io`, /wchar: (\d+)/) > 50 * megabyte;
    });
    assert.ok(largest <= 6 * megabyte + 64 * 1024, `the log took ${largest} bytes`);
    assert.ok(memoryOf(monitorOf()) < megabyte, `its monitor took ${memoryOf(monitorOf())} bytes`);
    const grown = memoryOf(engine.pid()) - memory;
    assert.ok(grown < 40 * megabyte, `the engine grew by ${grown} bytes`);
    await target.ok("rm", "-f", "flood");
  });

  test("clients that vanish in the middle of a stream leave nothing", async () => {
    const engine = target.engine();
    await run("talks", "-i", "busybox", "sh", "-c", "while :; do echo word; sleep 0.05; done");
    const idle = () => ({
      engine: descriptorsOf(engine.pid()).filter((name) => name.startsWith("socket:")).length,
      monitor: descriptorsOf(monitorOf()).length,
    });
    // Its start is told before its monitor has opened all that it will.
    await eventually(async () => (await target.ok("logs", "talks")) !== "", { what: "its first word" });
    const before = idle();
    const makeExec = async () => {
      const body = { Cmd: ["cat"], AttachStdin: true, AttachStdout: true };
      return wordOf((await ask(target.socket(), "POST /containers/talks/exec", { body })).json()["Id"]);
    };
    const startExec = (id: string) =>
      `POST /exec/${id}/start ${upgrade}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
    using opened = new DisposableStack();
    const open: RawConnection[] = [];
    for (let round = 0; round < 5; round += 1) {
      open.push(
        openRaw(target.socket(), `POST /containers/talks/attach?stream=1&stdin=1&stdout=1 ${upgrade}\r\n`),
        openRaw(target.socket(), startExec(await makeExec())),
        openRaw(target.socket(), `GET /containers/talks/logs?follow=1&stdout=1 ${plain}`),
        openRaw(target.socket(), `POST /containers/talks/wait ${plain}`),
        openRaw(target.socket(), `GET /events ${plain}`),
      );
    }
    for (const connection of open) opened.use(connection);
    for (const connection of open) await connection.until((text) => text.includes("\r\n\r\n"));
    assert.ok(idle().monitor > before.monitor);
    for (const connection of open) connection.socket.destroy();
    await eventually(() => idle().engine <= before.engine + 1 && idle().monitor <= before.monitor, {
      what: `their descriptors are closed, ${JSON.stringify(before)} as before`,
    }).catch((cause: unknown) => {
      throw new Error(JSON.stringify({ before, now: idle() }), { cause });
    });
    assert.equal((await target.inspect("talks"))["State"]?.["Running"], true);
    assert.equal(await target.ok("exec", "talks", "echo", "hello"), "hello\n");
    await target.ok("rm", "-f", "talks");
  });

  test("clients that stop reading cost the engine no memory, and others nothing", async () => {
    const engine = target.engine();
    await run("flood", "busybox", "yes", "x".repeat(500));
    await run("other", "busybox", "sh", "-c", "while :; do echo word; sleep 0.05; done");
    const requests = [
      `GET /containers/flood/logs?follow=1&stdout=1 ${plain}`,
      `POST /containers/flood/attach?stream=1&stdout=1 ${upgrade}\r\n`,
      `GET /events ${plain}`,
    ];
    using opened = new DisposableStack();
    const deaf = Array.from({ length: 12 }, (_, index) =>
      opened.use(openRaw(target.socket(), requests[index % 3] ?? "")),
    );
    for (const connection of deaf) {
      await connection.until((text) => text.includes("\r\n\r\n"));
      connection.socket.pause();
    }
    const memory = memoryOf(engine.pid());
    const [monitors, stillMs] = [engine.monitors(), 300];
    // The flood stands still when its slowest reader does; what the engine has buffered by then is all that it will.
    let [written, since] = [0, performance.now()];
    await othersAreServedUntil(() => {
      const now = Math.max(...monitors.map((pid) => readNumber(`/proc/${pid}/io`, /wchar: (\d+)/)));
      if (now > written + megabyte) [written, since] = [now, performance.now()];
      return performance.now() - since > stillMs;
    });
    for (const pid of monitors) {
      assert.ok(memoryOf(pid) < 12 * megabyte, `a monitor took ${memoryOf(pid)} bytes`);
    }
    const grown = memoryOf(engine.pid()) - memory;
    assert.ok(grown < 60 * megabyte, `the engine grew by ${grown} bytes`);
    assert.match(await target.ok("logs", "--tail", "1", "other"), /^word\n$/);
    for (const connection of deaf) connection.socket.destroy();
    await eventually(
      () =>
        Math.max(...monitors.map((pid) => readNumber(`/proc/${pid}/io`, /wchar: (\d+)/))) >
        written + 2 * megabyte,
      { what: "the flood goes on when they have left" },
    );
    await target.ok("rm", "-f", "flood", "other");
  });

  test("two hundred containers at once: each starts, each has its address, each goes", async () => {
    const count = 200;
    const all = <T>(work: (index: number) => Promise<T>) =>
      Promise.all(Array.from({ length: count }, (_, i) => work(i)));
    const expect = (answer: Answer, status: number) => {
      assert.equal(answer.status, status, answer.text);
      return answer;
    };
    const body = { Image: "busybox", Cmd: ["sleep", "1000"] };
    const ids = await all(async (index) => {
      const created = await ask(target.socket(), `POST /containers/create?name=many-${index}`, { body });
      const id = wordOf(expect(created, 201).json()["Id"]);
      expect(await ask(target.socket(), `POST /containers/${id}/start`), 204);
      return id;
    });
    const found = await listContainers(target.engine());
    assert.equal(found.filter((entry) => wordOf(entry["State"]) === "running").length, count);
    const addresses = found.map((entry) => entry["NetworkSettings"]?.["Networks"]?.["bridge"]?.["IPAddress"]);
    assert.equal(new Set(addresses).size, count);
    await all(async (index) => {
      const id = ids[index];
      expect(await ask(target.socket(), `DELETE /containers/${id}?force=1`), 204);
    });
  });
});

/** How long a process' first thread, where Node's event loop is, could have run and another one did (`/proc/pid/schedstat`). */
function waitedMs(pid: number): number {
  return readNumber(`/proc/${pid}/schedstat`, /^\d+ (\d+)/) / 1e6;
}

function readNumber(path: string, pattern: RegExp): number {
  return Number(pattern.exec(readFileSync(path, "utf8"))?.[1]);
}

/** 0 when it has been rotated away. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
