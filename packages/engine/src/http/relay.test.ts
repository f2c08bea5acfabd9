import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";
import { test } from "node:test";
import { socketPair } from "@hawser/linux";
import { relayTo } from "./relay.ts";

function openPair(): readonly [Socket, Socket] {
  const [one, other] = socketPair();
  return [new Socket({ fd: one, allowHalfOpen: true }), new Socket({ fd: other, allowHalfOpen: true })];
}

/** `cat` gets the connection. */
async function relayToCat(client: Socket): Promise<ChildProcess> {
  let cat: ChildProcess | undefined;
  await relayTo(client, {
    take: async ({ fd }) => {
      cat = spawn("cat", { stdio: [fd, fd, "ignore"] });
      await once(cat, "spawn");
    },
    close: () => client.end(),
  });
  assert.ok(cat);
  return cat;
}

test("a client that leaves in the middle is gone for the process, too", async () => {
  const [client, peer] = openPair();
  const cat = await relayToCat(client);
  peer.write("hello");
  await once(peer, "data");
  peer.destroy();
  const [code] = (await once(cat, "exit")) as [number];
  assert.equal(code, 0);
});

test("a client that left before is as one that leaves", async () => {
  const [client, peer] = openPair();
  client.destroy();
  await once(client, "close");
  const cat = await relayToCat(client);
  await once(cat, "exit");
  peer.destroy();
});

test("a process that cannot take the connection leaves it as it was", async () => {
  const [client, peer] = openPair();
  await assert.rejects(
    relayTo(client, { take: () => Promise.reject(new Error("no")), close: () => {} }),
    /no/,
  );
  client.end("why not");
  const [chunk] = (await once(peer, "data")) as [Buffer];
  assert.equal(chunk.toString(), "why not");
  peer.destroy();
});
