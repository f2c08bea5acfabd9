import assert from "node:assert/strict";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { openAgentSocket } from "./agent-socket.ts";

/** An agent that says what it is told in upper case, until it is told nothing more. */
function shoutingAgent(): Duplex {
  return Duplex.from(async function* (asked: AsyncIterable<Buffer>) {
    for await (const bytes of asked) yield bytes.toString().toUpperCase();
  });
}

const rights = { mode: 0o600, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

test("each connection reaches the agent, and what it answers comes back whole", async () => {
  await using dir = await openTempDir();
  const files = { agent: async (id: string) => (id === "mine" ? shoutingAgent() : undefined) };
  const at = { files, runDir: join(dir.path, "run"), name: "0" };
  assert.equal(await openAgentSocket({ ...rights, id: "another" }, at), undefined);
  await using socket = await openAgentSocket({ ...rights, id: "mine" }, at);
  assert.ok(socket !== undefined);
  assert.equal((await stat(socket.path)).mode & 0o777, 0o600);
  const answers = ["one", "two"].map(async (word) => {
    const client = connect({ path: socket.path, allowHalfOpen: true });
    client.write(`${word} `);
    client.end("more");
    return await text(client);
  });
  assert.deepEqual(await Promise.all(answers), ["ONE MORE", "TWO MORE"]);
});

test("an agent that goes away ends the connection, and disposal all of them", async () => {
  await using dir = await openTempDir();
  let agent: Duplex | undefined;
  const files = {
    agent: async () => {
      agent = shoutingAgent();
      return agent;
    },
  };
  const socket = await openAgentSocket(
    { ...rights, id: "mine" },
    { files, runDir: join(dir.path, "run"), name: "0" },
  );
  assert.ok(socket !== undefined);
  const first = agent;
  const broken = connect(socket.path);
  broken.write("x");
  assert.equal((await once(broken, "data")).toString(), "X");
  assert.notEqual(agent, first);
  agent?.destroy();
  await once(broken, "close");
  const idle = connect(socket.path);
  await once(idle, "connect");
  const closed = once(idle, "close");
  await socket[Symbol.asyncDispose]();
  await closed;
});
