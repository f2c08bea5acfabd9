import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildPrograms, type Container, openStream, Rig, readLog } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  buildPrograms();
  rig = await Rig.open();
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

async function runTerminal(args: readonly string[], fields = {}): Promise<Container> {
  const container = await rig.start({ args, tty: true, fields: { stdin: true, attach: 1, ...fields } });
  await container.control.wait("listening");
  return container;
}

test("a terminal: its size, its echo, a resize with its signal, its end", async () => {
  // The runtime goes on when it has handed the terminal over: the size may come a moment after the program.
  const script =
    "until [ \"$(stty size 2>&1)\" = '33 101' ]; do :; done; trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 0.01; done";
  const container = await runTerminal(["sh", "-c", script], { height: 33, width: 101 });
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  await client.read((text) => text.includes("ready"));
  assert.equal((await container.control.command("resize", { height: 44, width: 122 })).kind, "done");
  assert.match((await client.readAll()).toString(), /44 122\r\n$/);
  assert.equal((await container.control.wait("exited"))["code"], "4");
  await rig.expectGone(container);
});

test("a size that is given while the container starts is the terminal's", async () => {
  const container = await runTerminal(["sh", "-c", "read line; stty size"]);
  assert.equal((await container.control.command("resize", { height: 12, width: 34 })).kind, "done");
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  client.socket.write("go\n");
  await client.read((text) => text.includes("12 34\r\n"));
  await rig.expectGone(container);
});

test("input of a terminal that comes before the terminal is not lost, and is logged as stdout", async () => {
  const container = await runTerminal(["sh", "-c", "read line; echo got $line >&2"]);
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  client.socket.write("early\n");
  assert.match((await client.readAll()).toString(), /got early\r\n$/);
  await rig.expectGone(container);
  const log = await readLog(join(container.state, "json.log"));
  assert.deepEqual(log.at(-1)?.log, "got early\r\n");
  assert.equal(log.at(-1)?.stream, "stdout");
});

test("detach keys detach, across reads and after a false start", async () => {
  const container = await runTerminal(["cat"]);
  const client = await openStream(container, "attach", {
    stdin: true,
    format: "raw",
    "detach-keys": "101011",
  });
  client.socket.write("a\x10");
  await client.read((text) => text.includes("a"));
  client.socket.write("b\n"); // the held \x10 follows, in front of it
  await client.read((text) => text.includes("^Pb\r\n") && text.includes("a\x10b\r\n"));
  client.socket.write("\x10\x10");
  client.socket.write("\x10");
  // The first of the three: the others may be the beginning of the sequence.
  assert.equal(await client.read((text) => text.includes("^P")), "^P");
  client.socket.write("\x11not read");
  assert.equal((await client.readAll()).length, 0);
  client[Symbol.dispose]();
  using again = await openStream(container, "attach", { stdin: true, format: "raw" });
  again.socket.write("\n\x04"); // without keys there are none; end of file ends cat
  await again.readAll();
  assert.equal((await container.control.wait("exited"))["code"], "0");
  await rig.expectGone(container);
});

test("the end of a client's input detaches it from a terminal, even with stdin-once", async () => {
  const container = await runTerminal(["cat"], { "stdin-once": true });
  {
    using client = await openStream(container, "attach", { stdin: true, format: "raw" });
    client.socket.end();
    await client.readAll();
  }
  using again = await openStream(container, "attach", { stdin: true, format: "raw" });
  again.socket.write("\x04");
  await again.readAll();
  await rig.expectGone(container);
});

test("a terminal whose container floods it and dies loses nothing", async () => {
  const container = await runTerminal(["seq", "1", "30000"]);
  using client = await openStream(container, "attach", { format: "raw" });
  const text = (await client.readAll()).toString();
  assert.equal(text, Array.from({ length: 30_000 }, (_, index) => `${index + 1}\r\n`).join(""));
  await rig.expectGone(container);
});

test("detach keys that are no keys are refused", async () => {
  const container = await runTerminal(["cat"]);
  for (const keys of ["1", "zz", "00".repeat(33)]) {
    await assert.rejects(openStream(container, "attach", { "detach-keys": keys }), /detach-keys/);
  }
  await assert.rejects(openStream(container, "attach", { format: "xml" }), /format/);
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  client.socket.write("\x04");
  await rig.expectGone(container);
});
