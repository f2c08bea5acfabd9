import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { createServer, IncomingMessage, ServerResponse } from "node:http";
import { type AddressInfo, connect, Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { sendBlob } from "./send-blob.ts";

/** More than a connection holds, and no multiple of anything. */
const size = 20_000_003;
const content = randomBytes(size);
const dir = await openTempDir();
const path = join(dir.path, "blob");
const results: boolean[] = [];

const server = createServer((request, response) => {
  const [start = 0, end = size - 1] = (request.url ?? "").slice(1).split("-").filter(Boolean).map(Number);
  response.setHeader("Content-Length", end - start + 1);
  const blob = {
    sizeBytes: size,
    read: () => assert.fail("a file is not read into memory"),
    openFile: () => open(path, "r"),
  };
  void sendBlob(response, blob, { start, end }).then((isWhole) => {
    results.push(isWhole);
    if (isWhole) response.end();
  });
});
let port = 0;

before(async () => {
  await writeFile(path, content);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
});

after(async () => {
  server.close();
  server.closeAllConnections();
  await dir[Symbol.asyncDispose]();
});

const openBlobs = () => readdirSync("/proc/self/fd").length;

test("a blob's file is sent whole and in part, to several at once, on connections that are used again", async () => {
  const ask = async (range: string) =>
    Buffer.from(await (await fetch(`http://127.0.0.1:${port}/${range}`)).arrayBuffer());
  for (let round = 0; round < 2; round++) {
    const ranges = ["", "0-0", "65535-65536", `1000000-${size - 1}`, `${size - 1}-${size - 1}`];
    const answers = await Promise.all(ranges.map(ask));
    for (const [at, range] of ranges.entries()) {
      const [start = 0, end = size - 1] = range.split("-").filter(Boolean).map(Number);
      assert.ok(answers[at]?.equals(content.subarray(start, end + 1)), range);
    }
  }
});

test("of an empty blob nothing is asked, wherever it is", async () => {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const blob = { sizeBytes: 0, read: () => assert.fail("it is read") };
  assert.equal(await sendBlob(response, blob, { start: 0, end: -1 }), true);
});

test("answers that were asked for in one go come one behind the other, however slowly they are read", async () => {
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /5-14 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const parts: Buffer[] = [];
  for await (const part of socket) {
    parts.push(part as Buffer);
    if (parts.length % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const all = Buffer.concat(parts);
  const first = all.indexOf("\r\n\r\n") + 4;
  assert.ok(all.subarray(first, first + size).equals(content));
  const second = all.indexOf("\r\n\r\n", first + size) + 4;
  assert.ok(all.subarray(second).equals(content.subarray(5, 15)));
});

test("a client that leaves ends the sending, and no descriptor stays", async () => {
  const before = openBlobs();
  results.length = 0;
  for (const leave of ["destroy", "resetAndDestroy"] as const) {
    const socket = connect(port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "data");
    socket.pause();
    socket[leave]();
  }
  await eventually(() => results.length === 2, { what: "both are told" });
  assert.deepEqual(results, [false, false]);
  await eventually(() => openBlobs() <= before, { what: "all is closed" });
});
