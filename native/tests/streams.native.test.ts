import assert from "node:assert/strict";
import { open, readFile } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { connectUnix, sendWithDescriptors } from "@hawser/linux";
import { demultiplex, encodeFrame, FrameSocket } from "./testing/frame-socket.ts";
import { handOver } from "./testing/hand-over.ts";
import { buildPrograms, openStream, Rig, readLog } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  buildPrograms();
  rig = await Rig.open();
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

const stdinOnce = { stdin: true, "stdin-once": true };

test("the start waits for the attach, so that no output is missed, and both streams are told apart", async () => {
  const container = await rig.start({ args: ["sh", "-c", "echo one; echo two >&2"], fields: { attach: 1 } });
  await container.control.wait("listening");
  using client = await openStream(container, "attach", {});
  assert.deepEqual(demultiplex(await client.readAll()), { stdout: "one\n", stderr: "two\n" });
  await container.control.wait("exited");
  await rig.expectGone(container);
});

test("the start waits no longer when the engine is gone", async () => {
  const container = await rig.start({ args: ["echo", "alone"], fields: { attach: 1 } });
  await container.control.wait("listening");
  container.control[Symbol.dispose]();
  await eventually(async () => (await readFile(join(container.state, "exit"), "utf8")).startsWith("code=0 "));
  await eventually(async () => (await rig.monitorOf(container)) === undefined);
});

test("a half-close ends the input and output goes on", async () => {
  const container = await rig.start({
    args: ["sh", "-c", "cat; echo after"],
    fields: { ...stdinOnce, attach: 1 },
  });
  await container.control.wait("listening");
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  client.socket.write("before\n");
  await client.read((text) => text.includes("before\n"));
  client.socket.end("last words");
  assert.equal((await client.readAll()).toString(), "last wordsafter\n");
  await container.control.wait("exited");
  await rig.expectGone(container);
});

test("without stdin-once the end of a client's input detaches the client, not the process", async () => {
  const container = await rig.run({ args: ["cat"], fields: { stdin: true } });
  {
    using client = await openStream(container, "attach", { stdin: true, format: "raw" });
    client.socket.write("x\n");
    await client.read((text) => text === "x\n");
    client.socket.end();
    assert.equal((await client.readAll()).length, 0);
  }
  using again = await openStream(container, "attach", { stdin: true, format: "raw" });
  again.socket.write("still here\n");
  await again.read((text) => text === "still here\n");
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
});

test("a client that only watches may half-close", async () => {
  const container = await rig.run({ args: ["sh", "-c", "read line; echo $line"], fields: { stdin: true } });
  using watcher = await openStream(container, "attach", { format: "raw" });
  watcher.socket.end();
  using writer = await openStream(container, "attach", { stdin: true, format: "raw" });
  writer.socket.write("to all\n");
  assert.equal((await watcher.readAll()).toString(), "to all\n");
  await rig.expectGone(container);
});

test("5 MB of input arrive whole through a process that reads slowly, and come back whole", async () => {
  const container = await rig.start({
    args: ["sh", "-c", "dd bs=1k count=64 2>/dev/null; sleep 0.2; cat"],
    fields: { ...stdinOnce, attach: 1 },
    log: false,
  });
  await container.control.wait("listening");
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  const input = Buffer.alloc(5_000_000, "0123456789abcdef\n");
  client.socket.end(input);
  assert.ok((await client.readAll()).equals(input));
  await container.control.wait("exited");
  await rig.expectGone(container);
});

test("a process that does not want its input does not harm the client", async () => {
  const container = await rig.start({
    args: ["sh", "-c", "exec <&-; sleep 0.2; echo out"],
    fields: { ...stdinOnce, attach: 1 },
  });
  await container.control.wait("listening");
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  client.socket.write(Buffer.alloc(1_000_000));
  assert.equal((await client.readAll()).toString(), "out\n");
  await rig.expectGone(container);
});

test("twenty clients get the same", async () => {
  const container = await rig.start({ args: ["seq", "1", "20000"], fields: { attach: 20 } });
  await container.control.wait("listening");
  const clients = await Promise.all(Array.from({ length: 20 }, () => openStream(container, "attach", {})));
  const expected = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join("");
  for (const client of clients) {
    assert.equal(demultiplex(await client.readAll()).stdout, expected);
    client[Symbol.dispose]();
  }
  await rig.expectGone(container);
});

test("a client that does not read holds the process back, and the log is complete when it goes", async () => {
  const container = await rig.start({
    args: ["sh", "-c", "dd if=/dev/zero bs=1M count=8 2>/dev/null | tr '\\0' x; echo; echo done"],
    fields: { attach: 1 },
  });
  await container.control.wait("listening");
  const client = await openStream(container, "attach", { format: "raw" });
  client.socket.pause();
  await container.control.wait("started");
  const logged = async () =>
    (await readLog(join(container.state, "json.log"))).reduce((size, entry) => size + entry.log.length, 0);
  await eventually(async () => (await logged()) > 1_000_000);
  // What was logged went to the client as well: its slack and what sockets hold, but not all.
  let last = await logged();
  await eventually(async () => {
    const now = await logged();
    const settled = now === last;
    last = now;
    return settled;
  });
  assert.ok(last < 4_000_000, `${last} bytes were read ahead of a client that does not read`);
  client[Symbol.dispose]();
  await container.control.wait("exited");
  assert.equal(await logged(), (8 << 20) + 1 + 5);
  await rig.expectGone(container);
});

test("a client that does not read holds back neither the exit nor the removal, and still gets its output", async () => {
  const container = await rig.start({
    args: ["sh", "-c", "dd if=/dev/zero bs=1k count=700 2>/dev/null"],
    fields: { attach: 1 },
    log: false,
  });
  await container.control.wait("listening");
  using client = await openStream(container, "attach", { format: "raw" });
  client.socket.pause();
  await container.control.wait("exited");
  await container.control.wait("gone");
  client.socket.resume();
  assert.equal((await client.readAll()).length, 700 << 10);
});

test("clients that vanish harm nobody", async () => {
  const container = await rig.run({
    args: ["sh", "-c", "while read line; do echo $line; done; echo end"],
    fields: { stdin: true },
  });
  for (let round = 0; round < 30; round++) {
    const client = await openStream(container, "attach", {
      stdin: true,
      format: round % 2 ? "raw" : "frames",
    });
    client.socket.write("x\n".repeat(round));
    client[Symbol.dispose]();
  }
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  client.socket.write("alive\n");
  await client.read((text) => text.endsWith("alive\n"));
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
});

test("input sent before the client vanished arrives", async () => {
  const container = await rig.run({ args: ["cat"], fields: stdinOnce });
  const client = await openStream(container, "attach", { stdin: true, format: "raw" });
  client.socket.write("testament\n");
  client[Symbol.dispose]();
  await container.control.wait("exited");
  await rig.expectGone(container);
  assert.equal((await readLog(join(container.state, "json.log")))[0]?.log, "testament\n");
});

test("a client is handed over whole, with the input that was read already", async () => {
  const container = await rig.run({ args: ["sh", "-c", "cat; echo end"], fields: stdinOnce });
  const { client, answer } = await handOver(container, "attach", { stdin: true, initial: "first " });
  assert.equal(answer?.kind, "attached");
  client.socket.write("second\n");
  await client.read((text) => text === "first second\n");
  client.socket.end();
  assert.equal((await client.readAll()).toString(), "end\n");
  client[Symbol.dispose]();
  await rig.expectGone(container);
});

test("what is no stream socket is not taken for a client", async () => {
  const container = await rig.run({ args: ["sleep", "1000"] });
  const file = await open("/dev/null");
  const fd = connectUnix(join(container.dir, "monitor.sock"));
  sendWithDescriptors(fd, encodeFrame("attach", { stdout: true, format: "raw" }), [file.fd]);
  await file.close();
  using connection = new FrameSocket(new Socket({ fd, readable: true, writable: true }));
  const answer = await connection.wait("error");
  assert.match(answer["message"] ?? "", /no stream socket/);
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
});

test("somebody outside who holds the output delays the exit by two seconds at most", async () => {
  const begun = performance.now();
  const container = await rig.start({
    args: ["sh", "-c", "setsid sleep 1000 & exit 5"],
    // Processes outlive the first one without a pid namespace, until the cgroup is emptied.
    configure: (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
      config.mounts = config.mounts.filter(({ type }) => type !== "proc");
    },
  });
  assert.equal((await container.control.wait("exited"))["code"], "5");
  const took = performance.now() - begun;
  assert.ok(took > 1900 && took < 6000, `${took} ms`);
  await rig.expectGone(container);
});
