import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { FrameSocket } from "./testing/frame-socket.ts";
import {
  buildPrograms,
  type Container,
  openStream,
  processFile,
  Rig,
  readLog,
  removeState,
} from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  buildPrograms();
  rig = await Rig.open();
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Send bytes to a socket, and read what comes until it closes. */
async function poke(path: string, bytes: Buffer | string): Promise<FrameSocket> {
  const socket = await FrameSocket.open(path);
  socket.socket.end(bytes);
  return socket;
}

const hostile: readonly (readonly [string, Buffer])[] = [
  ["nothing", Buffer.alloc(0)],
  ["half a length", Buffer.from([0, 0])],
  ["no length", Buffer.from([0, 0, 0, 0])],
  ["a length beyond the limit", Buffer.from([0, 0x10, 0, 1, 0x6b])],
  ["the greatest length", Buffer.from([0xff, 0xff, 0xff, 0xff])],
  ["less than was announced", Buffer.concat([Buffer.from([0, 0, 1, 0]), Buffer.from("kind=ping\0")])],
  ["no last NUL", Buffer.concat([Buffer.from([0, 0, 0, 9]), Buffer.from("kind=ping")])],
  ["no kind", Buffer.concat([Buffer.from([0, 0, 0, 4]), Buffer.from("a=b\0")])],
  ["a kind that is not first", Buffer.concat([Buffer.from([0, 0, 0, 14]), Buffer.from("a=b\0kind=ping\0")])],
  ["a field without =", Buffer.concat([Buffer.from([0, 0, 0, 14]), Buffer.from("kind=ping\0abc\0")])],
  ["a key of other letters", Buffer.concat([Buffer.from([0, 0, 0, 16]), Buffer.from("kind=ping\0KEY=v\0")])],
  ["only NULs", Buffer.concat([Buffer.from([0, 0, 0, 8]), Buffer.alloc(8)])],
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
  ["an unknown kind", Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from("kind=dance\0")])],
];

test("hostile bytes get the launcher and a monitor to close the connection, nothing else", async () => {
  const container = await rig.run({ args: ["sleep", "1000"] });
  for (const [what, bytes] of hostile) {
    for (const path of [rig.socketPath, join(container.dir, "monitor.sock")]) {
      using socket = await poke(path, bytes);
      const answer = await socket.next();
      if (answer !== undefined) assert.equal(answer.kind, "error", what);
      assert.equal(await socket.next(), undefined, what);
    }
  }
  assert.equal(await rig.ask("ping"), "pong");
  // A control connection that breaks the rules later on.
  using control = await FrameSocket.open(join(container.dir, "monitor.sock"));
  control.send("control");
  await control.wait("state");
  control.socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  assert.equal(await control.next(), undefined);
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
});

test("a frame that comes byte by byte is a frame", async () => {
  using socket = await rig.connect();
  socket.socket.setNoDelay();
  for (const byte of Buffer.from("\0\0\0\nkind=ping\0")) {
    await new Promise<void>((resolve) => socket.socket.write(Buffer.of(byte), () => resolve()));
  }
  const pong = await socket.next();
  assert.deepEqual([pong?.kind, pong?.["protocol"], pong?.["version"]], ["pong", "1", "test"]);
  assert.equal(pong?.["pid"], String(rig.launcherPid));
});

test("a start that asks for nonsense is refused before anything is made", async () => {
  const cases: readonly (readonly [Record<string, string | undefined>, RegExp])[] = [
    [{ protocol: "2" }, /protocol/],
    [{ id: "../x" }, /id/],
    [{ id: undefined }, /id/],
    [{ dir: "relative" }, /not absolute/],
    [{ runtime: undefined }, /runtime/],
    [{ rootfs: undefined }, /rootfs/],
    [{ work: undefined }, /upper and work/],
    [{ "log-max-size": "-1" }, /log-max-size/],
    [{ "log-max-size": "99999999999999999999" }, /log-max-size/],
    [{ "log-max-files": "1001" }, /log-max-files/],
    [{ height: "70000" }, /height/],
    [{ attach: "x" }, /attach/],
    [{ cgroup: "/sys/fs/cgroup/memory" }, /cgroup/],
  ];
  for (const [fields, pattern] of cases) {
    const container = await rig.start({ args: ["true"], fields });
    const failed = await container.control.wait("failed");
    assert.equal(failed["stage"], "protocol");
    assert.match(failed["message"] ?? "", pattern);
    assert.equal(existsSync(join(container.dir, "monitor.sock")), false);
    container.control[Symbol.dispose]();
  }
});

test("a run directory that is not there", async () => {
  const container = await rig.start({ args: ["true"], fields: { dir: "/no/such/folder" } });
  const failed = await container.control.wait("failed");
  assert.deepEqual([failed["stage"], failed["message"]], ["internal", "No such file or directory"]);
});

test("killing the launcher leaves containers, their streams and their engine alone", async () => {
  const container = await rig.run({ args: ["cat"], fields: { stdin: true, "stdin-once": true } });
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  await rig.killLauncher();
  client.socket.write("still\n");
  await client.read((text) => text === "still\n");

  await rig.launch(); // over the socket that the dead one has left
  assert.equal(await rig.ask("ping"), "pong");
  using control = await FrameSocket.open(join(container.dir, "monitor.sock"));
  control.send("control");
  const state = await control.wait("state");
  assert.deepEqual([state["id"], state["state"]], [container.id, "running"]);
  assert.match(state["pid"] ?? "", /^\d+$/);
  assert.match(state["started-at"] ?? "", /^\d{19}$/);
  client.socket.end();
  assert.equal((await control.wait("exited"))["code"], "0");
  await control.wait("gone");
  await rig.expectGone(container);
});

test("a second launcher does not take the place of one that answers", async () => {
  const before = rig.launcherPid;
  rig.expectComplaint(/another launcher answers/);
  assert.equal(await rig.launchAnother(), 3);
  using socket = await rig.connect();
  socket.send("ping");
  assert.equal((await socket.wait("pong"))["pid"], String(before));
});

test("an engine that is killed while a container starts, runs or stops changes nothing", async () => {
  for (const until of ["listening", "started", "exited"]) {
    const container = await rig.start({ args: ["sh", "-c", "sleep 0.1; exit 7"] });
    await container.control.wait(until);
    container.control.socket.destroy();
    const record = join(container.state, "exit");
    await eventually(async () => (await readFile(record, "utf8")).startsWith("code=7 "), { what: until });
    await eventually(() => !existsSync(join(container.dir, "monitor.sock")), { what: until });
  }
});

test("lack of memory is told as it happens, and with the exit", async () => {
  const container = await rig.start({
    args: ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=1; sleep 0.2; exit 4"],
    configure: (config) => {
      config.linux.resources = { memory: { limit: 20_000_000, swap: 20_000_000 } };
    },
  });
  await container.control.wait("started");
  await container.control.wait("oom");
  const exited = await container.control.wait("exited");
  assert.deepEqual([exited["code"], exited["oom"]], ["4", "1"]);
  assert.match(await readFile(join(container.state, "exit"), "utf8"), /^code=4 signal=0 oom=1 /);
  await rig.expectGone(container);
});

test("a container that forks without end, in the host's pid namespace, is killed to the last process", async () => {
  const container = await rig.run({
    // not a shell's: one that is refused a fork ends, and the bomb with it
    args: ["awk", 'BEGIN { while (1) system("sleep 1000 &") }'],
    configure: (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
      config.linux.resources = { pids: { limit: 60 } };
    },
    log: false,
  });
  const pids = container.cgroups.find((path) => existsSync(join(path, "pids.current"))) ?? "";
  await eventually(() => Number(readFileSync(join(pids, "pids.current"), "utf8")) > 40);
  await container.control.command("kill", { signal: 9 });
  await container.control.wait("exited");
  await rig.expectGone(container);
});

test("cgroups that the container made inside its own are removed", async () => {
  const container = await rig.run({ args: ["sleep", "1000"] });
  for (const cgroup of container.cgroups) await mkdir(join(cgroup, "a/b/c"), { recursive: true });
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
});

test("fifty at once leave no process, mount, cgroup, file or descriptor behind", async () => {
  const descriptors = () => readdirSync(`/proc/${rig.launcherPid}/fd`).length;
  const memory = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${rig.launcherPid}/status`, "utf8"))?.[1]);
  const before = { descriptors: descriptors(), memory: memory() };
  await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const container = await rig.start({ args: ["sh", "-c", `echo ${index}; exit ${index}`] });
      assert.equal((await container.control.wait("exited"))["code"], String(index));
      await rig.expectGone(container);
      assert.equal((await readLog(join(container.state, "json.log")))[0]?.log, `${index}\n`);
      await removeState(container);
    }),
  );
  await eventually(() => descriptors() === before.descriptors);
  assert.ok(memory() <= before.memory + 200, `${before.memory} KiB became ${memory()} KiB`);
});

test("a monitor keeps no descriptor of what has ended", async () => {
  const container = await rig.run({ args: ["sleep", "1000"] });
  const monitor = (await rig.monitorOf(container))?.["monitor"] ?? "";
  const list = () =>
    readdirSync(`/proc/${monitor}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${monitor}/fd/${fd}`).replace(/\d+/g, "")];
      } catch {
        return [];
      }
    });
  await eventually(() => list().length === 12, { what: `the descriptors are ${list().join(" ")}` });
  const before = list().toSorted();
  const process = await processFile(container, ["true"]);
  const terminal = await processFile(container, ["true"], { tty: true });
  for (let round = 0; round < 5; round++) {
    using attached = await openStream(container, "attach", {});
    using one = await openStream(container, "exec", { exec: `a${round}`, process, stdin: true });
    using two = await openStream(container, "exec", {
      exec: `b${round}`,
      process: terminal,
      tty: true,
      stdin: true,
    });
    using three = await openStream(container, "exec", { exec: `c${round}`, process, detach: true });
    for (const stream of [one, two, three]) await stream.readAll();
    attached[Symbol.dispose]();
  }
  await eventually(() => list().toSorted().join() === before.join(), {
    what: `${before.join(" ")} became ${list().join(" ")}`,
  });
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
});

test("a file where the monitor's socket should be", async () => {
  const container = await rig.prepare({ args: ["true"] });
  await writeFile(join(container.dir, "monitor.sock"), "");
  container.control.send("start", container.fields);
  const failed = await container.control.wait("failed");
  assert.deepEqual([failed["stage"], failed["message"]], ["internal", "Address already in use"]);
});

/** An OCI runtime that is crun, but hangs, with a child of its own, at one verb. */
async function hangingAt(verb: string): Promise<{ readonly path: string; readonly children: () => number }> {
  const path = join(rig.dir, `hangs-at-${verb}-${Math.random().toString(36).slice(2)}`);
  const mark = `sleep ${Math.floor(Math.random() * 1e9) + 1e6}`;
  const script = `#!/bin/sh
for word; do
  [ "$word" != ${verb} ] || { ${mark} & wait; }
done
exec /usr/bin/crun "$@"
`;
  await writeFile(path, script, { mode: 0o755 });
  const isMark = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim() === mark;
    } catch {
      return false;
    }
  };
  return {
    path,
    children: () => readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isMark(name)).length,
  };
}

/** What was killed may take a moment to die. */
const noneOf = (children: () => number) => eventually(() => children() === 0, { what: "no child is left" });

/** A start that failed leaves nothing; there is no "gone" after "failed". */
async function expectNothing(container: Container): Promise<void> {
  assert.equal(await container.control.next(), undefined);
  assert.deepEqual(readdirSync(container.dir).toSorted(), ["config.json", "rootfs"]);
  for (const cgroup of container.cgroups) assert.equal(existsSync(cgroup), false, cgroup);
  container.control[Symbol.dispose]();
}

test("a runtime that does not answer is killed with what it started, and the start fails", async () => {
  const { path, children } = await hangingAt("run");
  const container = await rig.start({
    args: ["true"],
    fields: { runtime: path, "runtime-deadline": 1000, "runtime-delete": true },
  });
  const failed = await container.control.wait("failed");
  assert.deepEqual(
    [failed["stage"], failed["message"]],
    ["runtime", `the OCI runtime ${path} did not answer within 1 seconds and was killed`],
  );
  await expectNothing(container);
  await noneOf(children);
});

test("a start is given up on demand, whether its runtime runs or not yet", async () => {
  const { path, children } = await hangingAt("run");
  for (const attach of [0, 1]) {
    const container = await rig.start({ args: ["true"], fields: { runtime: path, attach } });
    await container.control.wait("listening");
    if (attach === 0) await eventually(() => children() === 1);
    assert.equal((await container.control.command("give-up")).kind, "done");
    const failed = await container.control.wait("failed");
    assert.deepEqual([failed["stage"], failed["message"]], ["runtime", "the start was given up"]);
    await expectNothing(container);
    await noneOf(children);
  }
  const running = await rig.run({ args: ["sleep", "1000"] });
  assert.equal((await running.control.command("give-up"))["code"], "not-running");
  await running.control.command("kill", { signal: 9 });
  await rig.expectGone(running);
});

test("an exec whose runtime does not answer fails, and the container goes on", async () => {
  const { path, children } = await hangingAt("exec");
  const container = await rig.run({
    args: ["sleep", "1000"],
    fields: { runtime: path, "runtime-deadline": 1000 },
  });
  const exec = async (name: string) =>
    openStream(container, "exec", { exec: name, process: await processFile(container, ["true"]) });
  await assert.rejects(exec("e1"), /did not answer within 1 seconds and was killed$/);
  await noneOf(children);
  assert.equal((await container.control.command("kill", { signal: 0 })).kind, "done");
  // Nor does the container's end wait for one.
  const late = assert.rejects(exec("e2"), /runtime/);
  await eventually(() => children() === 1);
  await container.control.command("kill", { signal: 9 });
  await container.control.wait("exited");
  await late;
  await rig.expectGone(container);
  await noneOf(children);
});
