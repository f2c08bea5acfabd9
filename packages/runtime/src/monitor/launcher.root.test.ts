import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger, textLogger } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { ContainerRig, launcherProgram } from "../testing/container-rig.ts";
import { readExitRecord } from "./exit-record.ts";
import { Launcher } from "./launcher.ts";
import { Monitor } from "./monitor.ts";

/** A launcher, and the process ids of those that were started for it. */
async function openLauncher(execRoot: string, version: string) {
  const pids: number[] = [];
  const log = textLogger({
    level: "debug",
    now: () => new Date(),
    write: (line) => {
      const [, pid] = /launcher started.* pid=(\d+)/.exec(line) ?? [];
      if (pid !== undefined) pids.push(Number(pid));
    },
  });
  const launcher = await Launcher.open({ execRoot, program: launcherProgram, version, log });
  return { launcher, pids };
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}/exe`);

test("a launcher of the same version is used, one of another version replaced", async () => {
  await using dir = await openTempDir();
  const first = await openLauncher(dir.path, "1");
  const [pid = 0] = first.pids;
  assert.ok(isAlive(pid));
  const second = await openLauncher(dir.path, "1");
  assert.deepEqual(second.pids, []);
  const third = await openLauncher(dir.path, "2");
  assert.equal(third.pids.length, 1);
  await eventually(() => !isAlive(pid));
  await third.launcher.shutDown();
  await eventually(() => !isAlive(third.pids[0] ?? 0));
});

test("a stale socket does not stop a launcher from coming up; a program that is missing does", async () => {
  await using dir = await openTempDir();
  const { launcher, pids } = await openLauncher(dir.path, "1");
  process.kill(pids[0] ?? 0, "SIGKILL");
  await eventually(() => !isAlive(pids[0] ?? 0));
  assert.ok(existsSync(join(dir.path, "launcher.sock")));
  const again = await openLauncher(dir.path, "1");
  assert.equal(again.pids.length, 1);
  await launcher.shutDown();
  await assert.rejects(
    Launcher.open({
      execRoot: dir.path,
      program: join(dir.path, "missing"),
      version: "1",
      log: silentLogger,
    }),
    { kind: "unavailable", message: /it ended: spawn .*ENOENT; see .*launcher\.log$/ },
  );
});

test("a launcher that is killed before it answers is started again at once", async () => {
  await using dir = await openTempDir();
  const program = join(dir.path, "program");
  const marks = join(dir.path, "starts");
  await writeFile(
    program,
    `#!/bin/sh\necho >> ${marks}\n[ "$(wc -l < ${marks})" -gt 3 ] || kill -9 $$\nexec ${launcherProgram} "$@"\n`,
    { mode: 0o755 },
  );
  const options = { execRoot: dir.path, program, version: "1", log: silentLogger };
  const launcher = await Launcher.open({ ...options, signal: AbortSignal.timeout(5000) });
  assert.equal((await readFile(marks, "utf8")).length, 4);
  await launcher.shutDown();
});

test("the launcher dies: containers run on, and the next start brings another one", async () => {
  await using rig = await ContainerRig.open();
  const { launcher, pids } = await openLauncher(rig.execRoot, "other");
  rig.launcher = launcher;
  const first = await rig.start();
  const { pid } = await first.monitor.started;
  process.kill(pids[0] ?? 0, "SIGKILL");
  await eventually(() => !isAlive(pids[0] ?? 0));
  const many = await Promise.all([rig.start(), rig.start(), rig.start()]);
  for (const { monitor } of many) await monitor.started;
  assert.equal(pids.length, 2, "one new launcher for all that asked at once");
  assert.ok(isAlive(pid));
  await first.monitor.kill(15);
  await first.monitor.kill(9);
  assert.equal((await first.monitor.exited).code, 137);
});

test("a start that fails says why in Docker's words and leaves nothing running", async () => {
  await using rig = await ContainerRig.open();
  const failure = async (request: Parameters<typeof rig.start>[0]) => {
    const { monitor, dir } = await rig.start(request);
    await assert.rejects(monitor.exited);
    await monitor.gone;
    assert.equal(await Monitor.reconnect(dir), undefined);
    await monitor.started;
  };
  const words = (text: string) => ({ message: new RegExp(text), kind: "invalid-argument" });
  for (const [request, text] of [
    [{ config: { cmd: ["nope"] } }, 'exec: "nope": executable file not found in \\$PATH: unknown$'],
    [{ config: { cmd: ["/nope"] } }, 'exec: "/nope": stat /nope: no such file or directory: unknown$'],
    [{ config: { cmd: ["/bin/noexec"] } }, 'exec: "/bin/noexec": permission denied: unknown$'],
    [{ config: { cmd: ["/etc"] } }, 'exec: "/etc": permission denied: unknown$'],
    [
      { config: { workingDir: "/etc/passwd" } },
      'chdir to cwd \\("/etc/passwd"\\).*not a directory: unknown$',
    ],
    [{ hostConfig: { binds: ["/not-there:/x"] } }, "stat /not-there: no such file or directory: unknown$"],
    [{ hostConfig: { binds: ["/etc/passwd:/etc"] } }, "not a directory: Are you trying to mount a directory"],
  ] as const) {
    await assert.rejects(failure(request), words(text));
  }
});

test("a start that the monitor itself cannot do is refused before it listens, or right after", async () => {
  await using rig = await ContainerRig.open();
  const overlay = { lower: ["/not-there"], upper: join(rig.root, "u"), work: join(rig.root, "w") };
  await assert.rejects(
    async () => {
      const { monitor } = await rig.start({ start: { overlay } });
      await monitor.started;
    },
    { kind: "internal", message: /^Cannot start the container: mount: / },
  );
});

test("an engine that comes back finds its containers, running and ended", async () => {
  await using rig = await ContainerRig.open();
  const { monitor, dir, exitRecord } = await rig.start();
  const started = await monitor.started;
  const again = await Monitor.reconnect(dir);
  assert.ok(again);
  assert.deepEqual(await again.started, started);
  await again.listening;
  await again.kill(9);
  const exit = await monitor.exited;
  assert.equal(exit.code, 137);
  assert.equal(exit.signal, 9);
  assert.deepEqual(await again.exited, exit);
  assert.deepEqual(await readExitRecord(exitRecord), exit);
  await again.gone;
  assert.equal(await Monitor.reconnect(dir), undefined);
});

test("letting go of a monitor ends nothing and settles nothing", async () => {
  await using rig = await ContainerRig.open();
  const { monitor, dir } = await rig.start();
  const { pid } = await monitor.started;
  const other = await Monitor.reconnect(dir);
  assert.ok(other);
  let settled = false;
  other.exited.then(
    () => {
      settled = true;
    },
    () => {
      settled = true;
    },
  );
  other[Symbol.dispose]();
  await assert.rejects(other.kill(9), { kind: "unavailable" });
  assert.ok(isAlive(pid));
  await monitor.kill(9);
  await monitor.gone;
  assert.equal(settled, false);
});

test("a monitor that is killed is noticed", async () => {
  await using rig = await ContainerRig.open();
  const { monitor, dir, cgroups } = await rig.start();
  const { pid } = await monitor.started;
  const monitorPid = await eventually(async () => {
    const [, parent] = /^PPid:\s*(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
    // for a moment a helper of the OCI runtime's may stand between the two
    return (await readFile(`/proc/${parent}/comm`, "utf8")).startsWith("hawser-monitor") && Number(parent);
  });
  process.kill(monitorPid, "SIGKILL");
  await assert.rejects(monitor.exited, { kind: "unavailable" });
  await monitor.gone;
  assert.equal(await Monitor.reconnect(dir), undefined);
  process.kill(pid, "SIGKILL");
  await eventually(() => !isAlive(pid));
  for (const folder of cgroups) await eventually(() => rmdir(folder).then(() => true));
});

test("a folder where no monitor ever was has none", async () => {
  await using dir = await openTempDir();
  assert.equal(await Monitor.reconnect(dir.path), undefined);
  await writeFile(join(dir.path, "monitor.sock"), "");
  assert.equal(await Monitor.reconnect(dir.path), undefined);
});
