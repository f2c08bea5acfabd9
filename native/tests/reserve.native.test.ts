import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { type Fields, FrameSocket } from "./testing/frame-socket.ts";
import { handOver } from "./testing/hand-over.ts";
import { buildPrograms, type Container, openStream, Rig, readLog } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  buildPrograms();
  rig = await Rig.open();
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

const logOf = (container: Container) => join(container.state, "json.log");

async function reserve(container: Container, fields: Fields = {}) {
  const place = await FrameSocket.open(join(container.dir, "monitor.sock"));
  place.send("reserve", { stdout: true, stderr: true, format: "raw", ...fields });
  const answer = await place.next();
  assert.equal(answer?.kind, "reserved");
  return { place, answer };
}

/** A container that has logged a line, written half of another, and echoes what it is told. */
async function startTalker(fields: Fields = {}) {
  const container = await rig.start({
    args: ["sh", "-c", "echo logged; printf half; while read line; do echo $line; done; echo end"],
    fields: { stdin: true, attach: 1, ...fields },
  });
  await container.control.wait("listening");
  const first = await openStream(container, "attach", { stdin: true, format: "raw" });
  await first.read((text) => text === "logged\nhalf");
  return { container, first };
}

test("a place gets what came after the end of the log that it was told, a line without an end too", async () => {
  const { container, first } = await startTalker();
  const { ino, size } = await stat(logOf(container), { bigint: true });
  const { place, answer } = await reserve(container, { stdin: true });
  assert.deepEqual([answer["log-inode"], answer["log-end"]], [String(ino), String(size)]);
  first.socket.write("of a line\n");
  await first.read((text) => text === "of a line\n");
  const { client, answer: taken } = await handOver(
    container,
    "client",
    { stdin: true, initial: "ini" },
    place,
  );
  assert.equal(taken?.kind, "attached");
  client.socket.write("tial\n");
  await client.read((text) => text === "halfof a line\ninitial\n");
  for (const each of [first, client]) each[Symbol.dispose]();
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
});

test("a place outlives the process: who comes late gets the output and its end", async () => {
  const { container, first } = await startTalker({ "stdin-once": true });
  const { place } = await reserve(container);
  first.socket.end("over\n");
  await container.control.wait("gone");
  const { client } = await handOver(container, "client", { initial: "for nobody" }, place);
  assert.equal((await client.readAll()).toString(), "halfover\nend\n");
  for (const each of [first, client]) each[Symbol.dispose]();
  await eventually(async () => (await rig.monitorOf(container)) === undefined);
});

test("a place that nobody takes, or that something else than a client comes to, is let go of", async () => {
  const { container, first } = await startTalker({ "stdin-once": true });
  const given = await reserve(container);
  given.place[Symbol.dispose]();
  for (const kind of ["client", "control", "reserve"]) {
    const { place } = await reserve(container);
    place.send(kind);
    assert.equal((await place.next())?.kind, "error");
    assert.equal(await place.next(), undefined);
  }
  const kept = await reserve(container);
  first.socket.end();
  await container.control.wait("gone");
  for (const each of [first, kept.place]) each[Symbol.dispose]();
  await eventually(async () => (await rig.monitorOf(container)) === undefined);
});

test("a place whose client does not come holds the process back, not its end", async () => {
  const container = await rig.start({
    args: ["sh", "-c", "dd if=/dev/zero bs=1M count=4 2>/dev/null"],
    fields: { attach: 1 },
  });
  await container.control.wait("listening");
  const { place } = await reserve(container);
  await container.control.wait("started");
  const logged = async () => (await readLog(logOf(container))).reduce((sum, { log }) => sum + log.length, 0);
  await eventually(async () => (await logged()) >= 1 << 20);
  assert.ok((await logged()) < 2 << 20);
  place[Symbol.dispose]();
  await container.control.wait("exited");
  assert.equal(await logged(), 4 << 20);
  await rig.expectGone(container);
});
