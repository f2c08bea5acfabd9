import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, readdirSync, readSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect, createServer as createNetServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { releaseSocket, sendWithDescriptors } from "./index.ts";
import { startDescriptorEcho } from "./testing/descriptor-echo.ts";

const answer = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
const question = "POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

/** A server that hands each upgraded connection to the other process, and the client's side of it. */
async function handOver(server: Server, path: string, connectionFd: number): Promise<Socket> {
  server.on("upgrade", (_request, socket: Socket, head: Buffer) => {
    socket.write(answer);
    void releaseSocket(socket).then(({ fd, unread }) => {
      sendWithDescriptors(connectionFd, Buffer.concat([Buffer.from("|"), head, unread]), [fd]);
      closeSync(fd);
      closeSync(connectionFd);
    });
  });
  server.listen(path);
  await once(server, "listening");
  const client = connect({ path, allowHalfOpen: true });
  await once(client, "connect");
  return client;
}

test("an upgraded connection goes on in another process: no byte lost, no end seen", async () => {
  await using folder = await openTempDir();
  using other = await startDescriptorEcho(folder.path);
  await using server = createServer();
  const client = await handOver(server, join(folder.path, "s"), other.connectionFd);
  const sent = randomBytes(1 << 20);
  // Some with the request, some while the connection changes hands, some when the server cannot see it any more.
  client.write(question + "early");
  client.write(sent);
  const received: Buffer[] = [];
  let ended = false;
  client
    .on("data", (chunk: Buffer) => received.push(chunk))
    .on("end", () => {
      ended = true;
    });
  const expected = Buffer.concat([Buffer.from(`${answer}|early`), sent]);
  await eventually(() => Buffer.concat(received).length === expected.length);
  server.closeAllConnections();
  assert.equal(ended, false);
  client.end("late");
  await once(client, "end");
  assert.ok(Buffer.concat(received).equals(Buffer.concat([expected, Buffer.from("late")])));
  assert.equal(await other.exited, 0);
});

test("what was received and not read is returned, and nothing is read after that", async () => {
  await using pair = await openPair();
  const { client, accepted } = pair;
  client.write("one ");
  await once(accepted, "readable");
  accepted.read(1);
  client.write("two");
  const { fd, unread } = await releaseSocket(accepted);
  await eventually(() => accepted.closed);
  const rest = Buffer.alloc(64);
  const size = await eventually(() => readSync(fd, rest));
  assert.equal(unread.toString() + rest.toString("utf8", 0, size), "ne two");
  closeSync(fd);
});

test("what was written before arrives before the connection changes hands", async () => {
  await using pair = await openPair();
  const { client, accepted } = pair;
  const sent = randomBytes(4 << 20);
  accepted.write(sent);
  const releasing = releaseSocket(accepted);
  const received: Buffer[] = [];
  client.on("data", (chunk: Buffer) => received.push(chunk));
  const { fd } = await releasing;
  await eventually(() => Buffer.concat(received).length === sent.length);
  assert.ok(Buffer.concat(received).equals(sent));
  closeSync(fd);
});

test("a peer that does not read can be given up on", async () => {
  await using pair = await openPair();
  const { client, accepted } = pair;
  client.pause();
  accepted.write(randomBytes(4 << 20));
  const giveUp = new AbortController();
  const releasing = releaseSocket(accepted, { signal: giveUp.signal });
  giveUp.abort(new Error("given up"));
  await assert.rejects(releasing, /given up/);
  assert.ok(accepted.destroyed);
});

test("a peer that leaves while bytes are to be flushed is a fault, not a hang", async () => {
  await using pair = await openPair();
  const { client, accepted } = pair;
  accepted.on("error", () => {}); // as a server's socket has
  client.pause();
  accepted.write(randomBytes(4 << 20));
  const releasing = releaseSocket(accepted);
  client.destroy();
  await assert.rejects(releasing);
  assert.ok(accepted.destroyed);
});

test("a socket that has ended cannot be released, and leaks nothing", async () => {
  await using pair = await openPair();
  const { accepted } = pair;
  accepted.destroy();
  await eventually(() => accepted.closed);
  const before = readdirSync("/proc/self/fd").length;
  await assert.rejects(releaseSocket(accepted), (error) => Fault.is(error, "unavailable"));
  assert.equal(readdirSync("/proc/self/fd").length, before);
});

async function openPair(): Promise<AsyncDisposable & { readonly client: Socket; readonly accepted: Socket }> {
  const folder = await openTempDir();
  const path = join(folder.path, "s");
  const server = createNetServer().listen(path);
  await once(server, "listening");
  const accepting = once(server, "connection") as Promise<[Socket]>;
  const client = connect(path);
  const [accepted] = await accepting;
  return {
    client,
    accepted,
    async [Symbol.asyncDispose]() {
      client.destroy();
      accepted.destroy();
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
