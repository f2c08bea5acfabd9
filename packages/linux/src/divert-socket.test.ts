import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { divertSocket, isDivertible } from "./index.ts";

test("what comes on a diverted connection is given away in one memory, waits when it is told to, and has an end", async () => {
  const accepted = Promise.withResolvers<Socket>();
  await using server = createServer((socket) => accepted.resolve(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const client = connect(address.port, "127.0.0.1");
  const peer = await accepted.promise;
  peer.write("before");
  await once(client, "readable");
  assert.ok(isDivertible(client));
  const memory = Buffer.alloc(4);
  const taken: string[] = [];
  const unread = divertSocket(client, {
    memory,
    take(bytes) {
      assert.equal(bytes.buffer, memory.buffer);
      taken.push(String(bytes));
      return taken.length !== 2;
    },
  });
  assert.equal(String(unread), "before");
  client.resume();
  peer.end("one two three");
  await eventually(() => taken.length === 2, { what: "two pieces are taken" });
  await new Promise(setImmediate);
  assert.deepEqual(taken, ["one ", "two "], "no more than were wanted");
  client.resume();
  await once(client, "end");
  assert.equal(taken.join(""), "one two three");
});
