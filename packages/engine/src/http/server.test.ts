import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import type { Route } from "./router.ts";
import { openApi } from "./testing/open-api.ts";
import { openRawClient } from "./testing/raw-client.ts";

const ping: Route = { method: "GET", path: "/_ping", handler: (_, response) => response.sendText(200, "OK") };
const text: Route = {
  method: "POST",
  path: "/text",
  async handler(request, response) {
    let size = 0;
    for await (const chunk of request.body) size += chunk.length;
    response.sendText(200, `got ${size}`);
  },
};
describe("requests", () => {
  test("keep the connection, pipelined ones are answered in order", async () => {
    await using api = await openApi([ping, text]);
    using client = openRawClient(api.path);
    client.socket.write(
      "GET /_ping HTTP/1.1\r\nHost: a\r\n\r\nPOST /v1.40/text HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /none HTTP/1.1\r\n\r\n",
    );
    const answer = await client.until(/page not found/);
    assert.match(
      answer,
      /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nOKHTTP\/1\.1 200 OK[^]*got 3HTTP\/1\.1 404 Not Found\r\n/,
    );
    assert.match(answer, /\r\n\r\n\{"message":"page not found"\}\n$/);
    assert.equal(client.ended(), false);
  });

  test("carry the engine's headers on every answer", async () => {
    await using api = await openApi([ping]);
    using client = openRawClient(api.path);
    client.socket.write("GET /nowhere HTTP/1.1\r\n\r\n");
    const answer = await client.until(/not found/);
    for (const line of [
      "Api-Version: 1.51",
      "Docker-Experimental: false",
      "Ostype: linux",
      "Server: Hawser/1.2.3 (linux)",
    ]) {
      assert.ok(answer.includes(`\r\n${line}\r\n`), line);
    }
  });

  test("with a chunked body in pieces", async () => {
    await using api = await openApi([text]);
    using client = openRawClient(api.path);
    client.socket.write("POST /text HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const piece of ["5\r", "\nhe", "llo\r\n", "a;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n", "\r\n"]) {
      client.socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.until(/got 15$/);
    client.socket.write("POST /text HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert.match(await client.untilEnd(), /Connection: close\r\n\r\ngot 0$/);
  });

  test("that expect it are told to continue", async () => {
    await using api = await openApi([text]);
    using client = openRawClient(api.path);
    client.socket.write("POST /text HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert.equal(await client.until(/Continue/), "HTTP/1.1 100 Continue\r\n\r\n");
    client.socket.write("ab");
    await client.until(/got 2$/);
  });

  test("that are refused get their answer although the client goes on sending", async () => {
    await using api = await openApi([ping]);
    using client = openRawClient(api.path);
    client.socket.write(`POST /none HTTP/1.1\r\nContent-Length: ${8 << 20}\r\n\r\n`);
    client.socket.write(Buffer.alloc(8 << 20));
    client.socket.end();
    assert.match(await client.untilEnd(), /Connection: close[^]*page not found/);
  });

  test("to an unknown method, a too new and a too old version are refused in Docker's words", async () => {
    await using api = await openApi([ping]);
    using client = openRawClient(api.path);
    client.socket.write("PATCH /_ping HTTP/1.1\r\n\r\n");
    await client.until(/404 Not Found[^]*\{"message":"page not found"\}\n$/);
    client.socket.write("GET /v1.52/_ping HTTP/1.1\r\n\r\n");
    await client.until(
      /400 Bad Request[^]*"client version 1.52 is too new. Maximum supported API version is 1.51"/,
    );
    client.socket.write("GET /v1.23/_ping HTTP/1.1\r\n\r\n");
    await client.until(
      /text\/plain[^]*client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n$/,
    );
    client.socket.write("OPTIONS /anything HTTP/1.1\r\n\r\n");
    await client.until(/200 OK[^]*Content-Length: 0\r\n\r\n$/);
  });

  test("fire their signal when the client leaves while they wait", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const wait: Route = {
      method: "POST",
      path: "/wait",
      async handler(request, response) {
        const stream = response.openStream(200, { contentType: "application/json" });
        await new Promise((done) => request.signal.addEventListener("abort", done));
        resolve(String(request.signal.reason.message));
        await assert.rejects(
          async () => {
            for (;;) await stream.write(Buffer.alloc(1 << 16));
          },
          { kind: "canceled" },
        );
        stream.end();
      },
    };
    await using api = await openApi([wait]);
    const client = openRawClient(api.path);
    client.socket.write("POST /wait HTTP/1.1\r\n\r\n");
    assert.match(await client.until(/\r\n\r\n/), /Transfer-Encoding: chunked/);
    client.socket.destroy();
    assert.equal(await promise, "client went away");
  });

  test("that wait are ended when the server closes, and nothing warns of many connections", async () => {
    const warnings: string[] = [];
    const note = (warning: Error) => warnings.push(warning.message);
    process.on("warning", note);
    const reasons: unknown[] = [];
    const wait: Route = {
      method: "GET",
      path: "/wait",
      async handler(request, response) {
        const stream = response.openStream(200, { contentType: "text/plain" });
        await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
        reasons.push(request.signal.reason.message);
        stream.end();
      },
    };
    await using api = await openApi([wait]);
    const clients = Array.from({ length: 40 }, () => openRawClient(api.path));
    for (const client of clients) client.socket.write("GET /wait HTTP/1.1\r\n\r\n");
    for (const client of clients) await client.until(/\r\n\r\n/);
    await api.server.close();
    for (const client of clients) assert.match(await client.untilEnd(), /\r\n0\r\n\r\n$/);
    for (const client of clients) client[Symbol.dispose]();
    process.off("warning", note);
    assert.deepEqual([reasons.length, ...new Set(reasons)], [40, "engine is stopping"]);
    assert.deepEqual(warnings, []);
  });

  test("wait for a client that does not read, without memory for what it does not", async () => {
    let written = 0;
    const flood: Route = {
      method: "GET",
      path: "/flood",
      async handler(_, response) {
        const stream = response.openStream(200, { contentType: "application/octet-stream" });
        const chunk = Buffer.alloc(1 << 16);
        for (; written < 64 << 20; written += chunk.length) await stream.write(chunk);
        stream.end();
      },
    };
    await using api = await openApi([flood]);
    const socket = connect({ path: api.path });
    socket.write("GET /flood HTTP/1.1\r\n\r\n");
    let before = -1;
    await eventually(() => {
      const still = written > 0 && written === before;
      before = written;
      return still;
    });
    assert.ok(written < 4 << 20, `${written} bytes in memory`);
    socket.destroy();
  });

  test("of HTTP/1.0 get an answer that the close ends", async () => {
    await using api = await openApi([
      {
        method: "GET",
        path: "/stream",
        async handler(_, response) {
          const stream = response.openStream(200, { contentType: "text/plain" });
          await stream.write("body");
          stream.end();
        },
      },
    ]);
    using client = openRawClient(api.path);
    client.socket.write("GET /stream HTTP/1.0\r\n\r\n");
    const answer = await client.untilEnd();
    assert.ok(!answer.includes("chunked"));
    assert.match(answer, /\r\n\r\nbody$/);
  });

  test("whose handler fails after the head are cut, so that nobody takes a part for the whole", async () => {
    await using api = await openApi([
      {
        method: "GET",
        path: "/broken",
        async handler(_, response) {
          await response.openStream(200, { contentType: "text/plain" }).write("half");
          throw new Error("no more");
        },
      },
    ]);
    using client = openRawClient(api.path);
    client.socket.write("GET /broken HTTP/1.1\r\n\r\n");
    assert.ok(!(await client.untilEnd()).includes("\r\n0\r\n\r\n"));
  });
});
