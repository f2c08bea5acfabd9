import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { openWriter, socketPair } from "./index.ts";

test("what a peer has said before it went away is read, although it takes nothing any more", async () => {
  const [own, other] = socketPair();
  const socket = new Socket({ fd: own, allowHalfOpen: true });
  const writer = openWriter(socket);
  writeSync(other, "last words");
  closeSync(other);
  writer.write("too late");
  const [error] = (await once(writer, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "EPIPE");
  assert.equal(await text(socket), "last words");
  socket.destroy();
});

test("its end is the end of what is written, and no more", async () => {
  const [own, other] = socketPair();
  const socket = new Socket({ fd: own, allowHalfOpen: true });
  const peer = new Socket({ fd: other, allowHalfOpen: true });
  openWriter(socket).end("question");
  assert.equal(await text(peer), "question");
  peer.end("answer");
  assert.equal(await text(socket), "answer");
  socket.destroy();
});
