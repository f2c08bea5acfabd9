import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { duplexPair } from "node:stream";
import { describe, test } from "node:test";
import { decodeMessage, encodeMessage, type SessionMethods, serveSession } from "./serve-session.ts";

async function call(methods: SessionMethods, path: string, messages: readonly Uint8Array[], headers = {}) {
  const [near, far] = duplexPair();
  using _served = serveSession(far, methods);
  const http2 = connect("http://localhost", { createConnection: () => near });
  const stream = http2.request({ ":method": "POST", ":path": path, ...headers });
  let trailers: Record<string, unknown> = {};
  stream.on("trailers", (told) => {
    trailers = told;
  });
  for (const message of messages) stream.write(message);
  stream.end();
  const body: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => body.push(chunk));
  await once(stream, "close");
  http2.destroy();
  return { body: Buffer.concat(body), status: trailers["grpc-status"], words: trailers["grpc-message"] };
}

describe("serveSession", () => {
  const echo: SessionMethods = {
    "/s/Echo": async function* ({ metadata, messages }) {
      yield Buffer.from(metadata("x-name"));
      for await (const bytes of messages) yield bytes;
    },
  };

  test("answers message by message, whatever their size", async () => {
    const big = Buffer.alloc(300_000, 7);
    const sent = [encodeMessage(Buffer.from("one")), encodeMessage(new Uint8Array()), encodeMessage(big)];
    const { body, status } = await call(echo, "/s/Echo", sent, { "x-name": "me" });
    assert.equal(status, "0");
    assert.deepEqual(body, Buffer.concat([encodeMessage(Buffer.from("me")), ...sent]));
  });

  test("refuses what it does not serve, and what makes no sense", async () => {
    const unknown = await call(echo, "/s/Other", []);
    assert.deepEqual([unknown.status, unknown.body.length], ["2", 0]);
    const huge = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
    assert.equal((await call(echo, "/s/Echo", [huge])).status, "2");
    const compressed = Buffer.from([1, 0, 0, 0, 0]);
    assert.equal((await call(echo, "/s/Echo", [compressed])).status, "2");
  });

  test("messages are one field of bytes", () => {
    for (const size of [0, 1, 127, 128, 70_000]) {
      const bytes = Buffer.alloc(size, 1);
      assert.deepEqual(decodeMessage(encodeMessage(bytes).subarray(5)), size === 0 ? Buffer.alloc(0) : bytes);
    }
    for (const wrong of [
      [0x12, 1, 0],
      [0x0a, 2, 0],
      [0x0a],
      [0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
      [8, 1],
    ]) {
      assert.throws(() => decodeMessage(Uint8Array.from(wrong)), /does not serve/);
    }
  });
});
