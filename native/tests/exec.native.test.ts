import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { demultiplex, FrameSocket } from "./testing/frame-socket.ts";
import { handOver } from "./testing/hand-over.ts";
import { buildPrograms, type Container, openStream, processFile, Rig } from "./testing/rig.ts";

let rig: Rig;
let container: Container;
before(async () => {
  buildPrograms();
  rig = await Rig.open();
  container = await rig.run({ args: ["sleep", "1000"] });
});
after(async () => {
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
  await rig[Symbol.asyncDispose]();
});

async function exec(
  name: string,
  args: readonly string[],
  fields: { readonly [key: string]: string | number | boolean } = {},
): Promise<FrameSocket> {
  const { tty = false, height = 0, width = 0 } = fields;
  const process = await processFile(container, args, {
    tty: tty === true,
    // The program may look before the terminal has come to the monitor.
    ...(height !== 0 && { consoleSize: { height: Number(height), width: Number(width) } }),
  });
  return await openStream(container, "exec", { exec: name, process, ...fields });
}

async function exitCode(name: string): Promise<string> {
  for (;;) {
    const notice = await container.control.wait("exec-exited");
    if (notice["exec"] === name) return notice["code"] ?? "";
  }
}

test("attached: both streams, the exit code as a notice and as a file", async () => {
  using client = await exec("e1", ["sh", "-c", "echo out; echo err >&2; exit 9"]);
  assert.deepEqual(demultiplex(await client.readAll()), { stdout: "out\n", stderr: "err\n" });
  assert.equal(await exitCode("e1"), "9");
  assert.equal(await readFile(join(container.dir, "exec/e1"), "utf8"), "9");
});

test("the end of its input ends an exec's input, and output goes on", async () => {
  using client = await exec("e2", ["sh", "-c", "cat; echo after"], { stdin: true, format: "raw" });
  client.socket.end("words ");
  assert.equal((await client.readAll()).toString(), "words after\n");
  assert.equal(await exitCode("e2"), "0");
});

test("streams that are not wanted are /dev/null", async () => {
  using client = await exec(
    "e3",
    ["sh", "-c", "readlink /proc/self/fd/0; readlink /proc/self/fd/2; echo no >&2"],
    {
      stderr: false,
      format: "raw",
    },
  );
  assert.equal((await client.readAll()).toString(), "/dev/null\n/dev/null\n");
  assert.equal(await exitCode("e3"), "0");
});

test("detached: answered at once, ends later", async () => {
  using client = await exec("e4", ["sh", "-c", "sleep 0.1; exit 5"], { detach: true });
  assert.equal((await client.readAll()).length, 0);
  assert.equal(await exitCode("e4"), "5");
});

test("a terminal: its size, a resize, detach keys that leave the process alone", async () => {
  // crun sets the size while the program runs already, and so may we.
  const script =
    "until [ \"$(stty size 2>&1)\" = '20 50' ]; do :; done; trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done";
  using client = await exec("e5", ["sh", "-c", script], {
    tty: true,
    stdin: true,
    format: "raw",
    height: 20,
    width: 50,
    "detach-keys": "1011",
  });
  await client.read((text) => text.includes("ready"));
  assert.equal(
    (await container.control.command("resize", { exec: "e5", height: 21, width: 51 })).kind,
    "done",
  );
  await client.read((text) => text.includes("21 51\r\n"));
  client.socket.write("\x10\x11");
  await client.readAll();
  const state = await rig.monitorOf(container);
  assert.match(state?.["exec"] ?? "", /^e5:\d+$/);
  assert.equal((await container.control.command("kill", { exec: "e5", signal: 9 })).kind, "done");
  assert.equal(await exitCode("e5"), "137");
});

test("a terminal that nobody watches is read, so that its process does not stop", async () => {
  using client = await exec("e6", ["seq", "1", "50000"], { tty: true, detach: true });
  await client.readAll();
  assert.equal(await exitCode("e6"), "0");
});

test("a client that goes away leaves the process to its end", async () => {
  const client = await exec("e7", ["sh", "-c", "sleep 0.1; seq 1 50000; exit 3"]);
  client[Symbol.dispose]();
  assert.equal(await exitCode("e7"), "3");
});

test("a program that is not there: the runtime's words", async () => {
  await assert.rejects(exec("e8", ["no-such-program"]), /no-such-program/);
  const left = await readFile(join(container.dir, "exec/e8"), "utf8").catch(() => "nothing");
  assert.equal(left, "nothing");
});

test("a client that was handed over gets the streams; of a session that fails, it is left to who handed it", async () => {
  const works = await handOver(container, "exec", {
    exec: "h1",
    process: await processFile(container, ["sh", "-c", "cat; echo end"]),
    stdin: true,
    initial: "read already, ",
  });
  assert.equal(works.answer?.kind, "started");
  works.client.socket.end("and not yet\n");
  assert.equal((await works.client.readAll()).toString(), "read already, and not yet\nend\n");
  assert.equal(await exitCode("h1"), "0");
  works.client[Symbol.dispose]();

  const fails = await handOver(container, "exec", {
    exec: "h2",
    process: await processFile(container, ["no-such-program"]),
    initial: "",
  });
  assert.equal(fails.answer?.kind, "failed");
  fails.handed.end("the engine's words");
  assert.equal((await fails.client.readAll()).toString(), "the engine's words");
  fails.handed.destroy();
  fails.client[Symbol.dispose]();
});

test("sessions that make no sense are refused", async () => {
  await assert.rejects(
    openStream(container, "exec", { exec: "../e", process: "/x" }),
    /exec is missing or no name/,
  );
  await assert.rejects(
    openStream(container, "exec", { exec: "e", process: "x" }),
    /process is no absolute path/,
  );
  await assert.rejects(exec("e", ["true"], { height: 70_000 }), /height and width/);
  using first = await exec("twice", ["sleep", "1000"]);
  await assert.rejects(exec("twice", ["true"]), /exists already/);
  await container.control.command("kill", { exec: "twice", signal: 15 });
  assert.equal(await exitCode("twice"), "143");
  await first.readAll();
});

test("twenty at once, started while others end", async () => {
  const sessions = Array.from({ length: 20 }, async (_, index) => {
    using client = await exec(`many-${index}`, ["sh", "-c", `echo ${index}; exit ${index}`], {
      format: "raw",
    });
    return (await client.readAll()).toString();
  });
  const texts = await Promise.all(sessions);
  assert.deepEqual(
    texts,
    texts.map((_, index) => `${index}\n`),
  );
  for (let index = 0; index < 20; index++) {
    const path = join(container.dir, `exec/many-${index}`);
    assert.equal(await eventually(() => readFile(path, "utf8")), String(index));
  }
});

test("when the container ends, its exec sessions end before it is gone", async () => {
  const other = await rig.run({ args: ["sleep", "1000"] });
  const process = await processFile(other, ["sh", "-c", "echo here; sleep 1000"]);
  using client = await openStream(other, "exec", { exec: "last", process, format: "raw" });
  await client.read((text) => text === "here\n");
  await other.control.command("kill", { signal: 9 });
  assert.equal((await client.readAll()).length, 0);
  const ended = await other.control.wait("exec-exited");
  assert.deepEqual([ended["exec"], ended["code"]], ["last", "137"]);
  await rig.expectGone(other);
  assert.equal(await readFile(join(other.dir, "exec/last"), "utf8"), "137");
});

test("a session outside the container's pid namespace ends with it as well", async () => {
  const other = await rig.run({
    args: ["sleep", "1000"],
    configure: (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
    },
  });
  const process = await processFile(other, ["sleep", "1000"]);
  using client = await openStream(other, "exec", { exec: "host", process });
  await other.control.command("kill", { signal: 15 });
  assert.equal((await other.control.wait("exited"))["code"], "143");
  assert.equal((await other.control.wait("exec-exited"))["code"], "137");
  await client.readAll();
  await rig.expectGone(other);
});

test("an engine that is gone finds the exit code of an exec in its file", async () => {
  const other = await rig.run({ args: ["sleep", "1000"] });
  const process = await processFile(other, ["sh", "-c", "sleep 0.1; exit 8"]);
  (await openStream(other, "exec", { exec: "kept", process, detach: true }))[Symbol.dispose]();
  other.control[Symbol.dispose]();
  assert.equal(await eventually(() => readFile(join(other.dir, "exec/kept"), "utf8")), "8");
  using control = await FrameSocket.open(join(other.dir, "monitor.sock"));
  control.send("control");
  const state = await control.wait("state");
  assert.deepEqual([state["state"], state["exec"]], ["running", undefined]);
  await control.command("kill", { signal: 9 });
  await control.wait("gone");
});
