import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { ChunkRing } from "./chunk-ring.ts";

/** Takes all that comes, from a thread of its own, and says what it was. */
function openTaker(memory: SharedArrayBuffer): Worker {
  const ring = JSON.stringify(new URL("./chunk-ring.ts", import.meta.url));
  const program = `
    import { parentPort, workerData } from "node:worker_threads";
    import { ChunkRing } from ${ring};
    const chunks = [];
    for (const chunk of new ChunkRing(workerData).take()) chunks.push(Buffer.from(chunk));
    parentPort.postMessage(chunks);`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  return new Worker(url, { workerData: memory });
}

async function taken(taker: Worker): Promise<readonly Buffer[]> {
  const [chunks] = (await once(taker, "message")) as [readonly Uint8Array[]];
  return chunks.map((chunk) => Buffer.from(chunk));
}

const content = randomBytes(8_000_001);

test("what one thread puts into a ring another one takes, many times as much as there is room for", async () => {
  const ring = new ChunkRing();
  const taker = openTaker(ring.memory);
  const memory = Buffer.alloc(1 << 20); // used again for each piece
  for (let at = 0; at < content.length; ) {
    const length = content.copy(memory, 0, at, at + ([1, 700_000, 1 << 20, 33][at % 4] ?? 0));
    ring.put(memory.subarray(0, length));
    at += length;
  }
  ring.end();
  assert.ok(Buffer.concat(await taken(taker)).equals(content));
});

test("what is made in the room of a ring goes to the other thread as it is", async () => {
  const ring = new ChunkRing();
  const taker = openTaker(ring.memory);
  for (let at = 0; at < content.length; ) {
    const room = ring.room();
    const length = content.copy(room, 0, at, at + ([100_000, room.length][at % 2] ?? 0));
    ring.put(room.subarray(0, length));
    at += length;
  }
  ring.end();
  assert.ok(Buffer.concat(await taken(taker)).equals(content));
});

test("what is put in small pieces comes in large ones", async () => {
  const ring = new ChunkRing();
  const taker = openTaker(ring.memory);
  for (let at = 0; at < 1_500_000; at += 300) ring.put(content.subarray(at, at + 300));
  ring.end();
  const chunks = await taken(taker);
  assert.equal(chunks.length, 3);
  assert.ok(Buffer.concat(chunks).equals(content.subarray(0, 1_500_000)));
});

test("a ring into which nothing is put ends", () => {
  const ring = new ChunkRing();
  ring.end();
  assert.deepEqual([...new ChunkRing(ring.memory).take()], []);
});

test("a worker that waits for a ring can be ended", async () => {
  const taker = openTaker(new ChunkRing().memory);
  await once(taker, "online");
  await taker.terminate();
});
