import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { connect, createServer, Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import {
  connectUnix,
  peerCredentials,
  sendDatagram,
  sendWithDescriptors,
  socketDescriptor,
  socketPair,
} from "./index.ts";
import { startDescriptorEcho } from "./testing/descriptor-echo.ts";

test("peer credentials of a unix socket are those of the process at its other end", async () => {
  await using folder = await openTempDir();
  const path = join(folder.path, "s");
  await using server = createServer().listen(path);
  await once(server, "listening");
  const accepting = once(server, "connection") as Promise<[Socket]>;
  const client = connect(path);
  const [accepted] = await accepting;
  assert.deepEqual(peerCredentials(socketDescriptor(accepted)), {
    pid: process.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
  });
  client.destroy();
  accepted.destroy();
});

test("what is not a socket has no peer", () => {
  const fd = openSync("/dev/null", "r");
  try {
    assert.throws(() => peerCredentials(fd), { code: "ENOTSOCK", syscall: "getsockopt" });
  } finally {
    closeSync(fd);
  }
});

test("a socket that is not connected has no descriptor", () => {
  assert.throws(
    () => socketDescriptor(new Socket()),
    (error) => Fault.is(error, "unavailable"),
  );
});

test("connects to a path that is longer than a socket address", async () => {
  await using folder = await openTempDir();
  const long = join(folder.path, "d".repeat(100), "e".repeat(100));
  mkdirSync(long, { recursive: true });
  // Node cannot listen at such a path itself: it does at the same place by a short one.
  const folderFd = openSync(long, "r");
  await using server = createServer().listen(`/proc/self/fd/${folderFd}/s`);
  await once(server, "listening");
  const accepting = once(server, "connection") as Promise<[Socket]>;
  const client = new Socket({ fd: connectUnix(join(long, "s")) });
  const [accepted] = await accepting;
  accepted.end("hello");
  const [chunk] = await once(client, "data");
  assert.equal(String(chunk), "hello");
  client.destroy();
  closeSync(folderFd);
});

test("a failed connect says why, as Node's own errors do", async () => {
  await using folder = await openTempDir();
  const path = join(folder.path, "nobody");
  assert.throws(() => connectUnix(path), {
    message: `ENOENT: no such file or directory, connect '${path}'`,
    code: "ENOENT",
    errno: -2,
    syscall: "connect",
    path,
  });
  assert.throws(() => connectUnix(`${path}\0x`), { code: "EINVAL" });
  assert.throws(() => connectUnix("x".repeat(5000)), { code: "ENAMETOOLONG" });
});

test("a message larger than any socket buffer arrives whole, with its descriptor", async () => {
  await using folder = await openTempDir();
  using other = await startDescriptorEcho(folder.path);
  const path = join(folder.path, "out");
  const fd = openSync(path, "w+");
  const message = randomBytes(3 << 20);
  sendWithDescriptors(other.connectionFd, message, [fd]);
  closeSync(fd);
  closeSync(other.connectionFd);
  assert.equal(await other.exited, 0);
  assert.ok(readFileSync(path).equals(message));
});

test("a receiver that is gone is an error, not a signal", async () => {
  await using folder = await openTempDir();
  const path = join(folder.path, "s");
  const server = createServer((socket) => socket.destroy()).listen(path);
  await once(server, "listening");
  const client = connect(path).resume();
  await once(client, "connect");
  const fd = connectUnix(path);
  await once(client, "close");
  server.close();
  await once(server, "close");
  assert.throws(() => sendWithDescriptors(fd, Buffer.from("x"), []), { code: "EPIPE", syscall: "sendmsg" });
  closeSync(fd);
});

test("a message without bytes or with too many descriptors is refused", () => {
  assert.throws(() => sendWithDescriptors(0, Buffer.alloc(0), [1]), { code: "EINVAL" });
  const many = Array.from({ length: 254 }, () => 1);
  assert.throws(() => sendWithDescriptors(0, Buffer.from("x"), many), { code: "EINVAL" });
});

test("a pair of sockets is connected", async () => {
  const [one, other] = socketPair().map((fd) => new Socket({ fd }));
  assert.ok(one !== undefined && other !== undefined);
  one.end("hello");
  const [chunk] = (await once(other, "data")) as [Buffer];
  assert.equal(chunk.toString(), "hello");
  other.destroy();
});

test("a datagram that nobody wants is refused", () => {
  const code = /ENOENT|ECONNREFUSED/;
  for (const path of ["/nowhere/at/all", "@hawser-nobody"]) {
    assert.throws(
      () => sendDatagram(path, Buffer.from("x")),
      (error) => code.test(String(error)),
      path,
    );
  }
});
