import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { silentLogger } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { hijack } from "./hijack.ts";
import { readJsonBody } from "./request.ts";
import type { Route } from "./router.ts";
import { ApiServer, type ApiServerOptions } from "./server.ts";

/** A server with the given routes on a socket of its own, gone with its scope. */
async function openServer(routes: readonly Route[], options: Partial<ApiServerOptions> = {}) {
  const dir = await openTempDir();
  const path = join(dir.path, "api.sock");
  const server = new ApiServer({ routes, version: "1.2.3", log: silentLogger, ...options });
  await server.listen(`unix://${path}`);
  return {
    path,
    server,
    async [Symbol.asyncDispose]() {
      await server.close({ graceMs: 50 });
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** A raw client: everything that it got so far, and whether the server has ended. */
function openClient(path: string) {
  const socket: Socket = connect({ path, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  let ended = false;
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("end", () => (ended = true));
  socket.on("error", () => (ended = true));
  socket.on("close", () => (ended = true));
  return {
    socket,
    bytes: () => Buffer.concat(chunks),
    text: () => Buffer.concat(chunks).toString("latin1"),
    ended: () => ended,
    async until(pattern: RegExp): Promise<string> {
      return await eventually(
        () => {
          const text = Buffer.concat(chunks).toString("latin1");
          return pattern.test(text) ? text : undefined;
        },
        { deadlineMs: 5000, what: String(pattern) },
      );
    },
    async untilEnd(): Promise<string> {
      await eventually(() => ended, { deadlineMs: 5000, what: "end of connection" });
      return Buffer.concat(chunks).toString("latin1");
    },
    [Symbol.dispose]() {
      socket.destroy();
    },
  };
}

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
/** Sends back what it gets, in capitals, ends when the client half-closes. */
const echo: Route = {
  method: "POST",
  path: "/containers/{id}/attach",
  hijacks: true,
  async handler(request, response) {
    const connection = await hijack(request, response);
    connection.accept({ multiplexed: request.param("id") !== "tty" });
    for await (const chunk of connection.socket.iterator({ destroyOnReturn: false })) {
      connection.socket.write(String(chunk).toUpperCase());
    }
    connection.end("BYE");
  },
};

describe("requests", () => {
  test("keep the connection, pipelined ones are answered in order", async () => {
    await using api = await openServer([ping, text]);
    using client = openClient(api.path);
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
    await using api = await openServer([ping]);
    using client = openClient(api.path);
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
    await using api = await openServer([text]);
    using client = openClient(api.path);
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
    await using api = await openServer([text]);
    using client = openClient(api.path);
    client.socket.write("POST /text HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert.equal(await client.until(/Continue/), "HTTP/1.1 100 Continue\r\n\r\n");
    client.socket.write("ab");
    await client.until(/got 2$/);
  });

  test("that are refused get their answer although the client goes on sending", async () => {
    await using api = await openServer([ping]);
    using client = openClient(api.path);
    client.socket.write(`POST /none HTTP/1.1\r\nContent-Length: ${8 << 20}\r\n\r\n`);
    client.socket.write(Buffer.alloc(8 << 20));
    client.socket.end();
    assert.match(await client.untilEnd(), /Connection: close[^]*page not found/);
  });

  test("to an unknown method, a too new and a too old version are refused in Docker's words", async () => {
    await using api = await openServer([ping]);
    using client = openClient(api.path);
    client.socket.write("PATCH /_ping HTTP/1.1\r\n\r\n");
    await client.until(/404 Not Found[^]*\{"message":"page not found"\}\n$/);
    client.socket.write("GET /v1.52/_ping HTTP/1.1\r\n\r\n");
    await client.until(
      /400 Bad Request[^]*"client version 1.52 is too new. Maximum supported API version is 1.51"/,
    );
    client.socket.write("GET /v1.23/_ping HTTP/1.1\r\n\r\n");
    await client.until(
      /"client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"/,
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
    await using api = await openServer([wait]);
    const client = openClient(api.path);
    client.socket.write("POST /wait HTTP/1.1\r\n\r\n");
    assert.match(await client.until(/\r\n\r\n/), /Transfer-Encoding: chunked/);
    client.socket.destroy();
    assert.equal(await promise, "client went away");
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
    await using api = await openServer([flood]);
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
    await using api = await openServer([
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
    using client = openClient(api.path);
    client.socket.write("GET /stream HTTP/1.0\r\n\r\n");
    const answer = await client.untilEnd();
    assert.ok(!answer.includes("chunked"));
    assert.match(answer, /\r\n\r\nbody$/);
  });

  test("whose handler fails after the head are cut, so that nobody takes a part for the whole", async () => {
    await using api = await openServer([
      {
        method: "GET",
        path: "/broken",
        async handler(_, response) {
          await response.openStream(200, { contentType: "text/plain" }).write("half");
          throw new Error("no more");
        },
      },
    ]);
    using client = openClient(api.path);
    client.socket.write("GET /broken HTTP/1.1\r\n\r\n");
    assert.ok(!(await client.untilEnd()).includes("\r\n0\r\n\r\n"));
  });
});

describe("hostile requests", () => {
  const refused = [
    [
      "both framings",
      "POST /text HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["two lengths", "POST /text HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"],
    ["a list of lengths", "POST /text HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc"],
    ["a signed length", "POST /text HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc"],
    ["a length in hexadecimal", "POST /text HTTP/1.1\r\nContent-Length: 0x3\r\n\r\nabc"],
    ["another coding", "POST /text HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
    ["a hidden coding", "POST /text HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"],
    ["a folded line", "GET /_ping HTTP/1.1\r\nA: b\r\n c\r\n\r\n"],
    ["a bare line feed", "GET /_ping HTTP/1.1\r\nA: b\nTransfer-Encoding: chunked\r\n\r\n"],
    ["a NUL", "GET /_ping HTTP/1.1\r\nA: b\0\r\n\r\n"],
    ["a NUL in the path", "GET /%00 HTTP/1.1\r\n\r\n"],
    ["broken percent-encoding", "GET /%zz HTTP/1.1\r\n\r\n"],
    ["a chunk without size", "POST /text HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
    [
      "a chunk longer than its size",
      "POST /text HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    ],
    [
      "a chunk of 2^64 bytes",
      "POST /text HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
    ],
    ["no HTTP", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n"],
  ] as const;
  for (const [what, bytes] of refused) {
    test(`${what} is refused`, async () => {
      await using api = await openServer([ping, text]);
      using client = openClient(api.path);
      client.socket.write(bytes, "latin1");
      assert.match(await client.until(/malformed/), /^HTTP\/1\.1 400 Bad Request\r\n/);
    });
  }

  test("a head without end costs no more than its limit", async () => {
    await using api = await openServer([ping], { maxHeadBytes: 10_000 });
    using client = openClient(api.path);
    client.socket.write(`GET /_ping HTTP/1.1\r\nA: ${"x".repeat(20_000)}`);
    client.socket.end();
    assert.match(await client.untilEnd(), /head is larger than 10000 bytes/);
  });

  test("a head that takes too long is cut off, an idle connection is not", async () => {
    await using api = await openServer([ping], { headTimeoutMs: 50 });
    using idle = openClient(api.path);
    using slow = openClient(api.path);
    slow.socket.write("GET /_ping HT");
    await slow.untilEnd();
    idle.socket.write("GET /_ping HTTP/1.1\r\n\r\n");
    await idle.until(/OK$/);
  });

  test("of a unix socket carry who connected", async () => {
    const whoAmI: Route = {
      method: "GET",
      path: "/who",
      handler: (request, response) => response.sendJson(200, request.peer),
    };
    await using api = await openServer([whoAmI]);
    using client = openClient(api.path);
    client.socket.write("GET /who HTTP/1.1\r\n\r\n");
    const text = await client.until(/\}\n$/);
    const peer = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
    assert.deepEqual(JSON.parse(text.split("\r\n\r\n")[1] ?? ""), peer);
  });

  test("a web page's request over TCP is refused", async () => {
    await using api = await openServer([ping]);
    const address = new URL((await api.server.listen("tcp://127.0.0.1:0")).replace("tcp:", "http:"));
    const ask = (headers: Record<string, string>) => fetch(new URL("/_ping", address), { headers });
    assert.equal((await ask({})).status, 200);
    assert.equal((await ask({ Origin: "http://example.com" })).status, 403);
  });

  test("a JSON body that is not one, or not declared so, or too large", async () => {
    const json: Route = {
      method: "POST",
      path: "/json",
      async handler(request, response) {
        response.sendJson(200, await readJsonBody(request, (value) => value));
      },
    };
    await using api = await openServer([json]);
    const ask = async (body: string, type = "application/json") => {
      using client = openClient(api.path);
      client.socket.write(
        `POST /json HTTP/1.1\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
      return (await client.untilEnd()).split("\r\n\r\n")[1];
    };
    assert.equal(await ask('{"a":"<ü>"}', "application/json; charset=utf-8"), '{"a":"<\u00c3\u00bc>"}\n');
    assert.equal(await ask(""), '{"message":"invalid JSON: got EOF while reading request body"}\n');
    assert.match((await ask("{} {}")) ?? "", /^\{"message":"invalid JSON: /);
    assert.equal(
      await ask("{}", "text/plain"),
      '{"message":"unsupported Content-Type header (text/plain): must be \'application/json\'"}\n',
    );
    assert.match((await ask(" ".repeat(9 << 20))) ?? "", /request body is larger/);
    assert.match((await ask("[".repeat(1 << 20))) ?? "", /invalid JSON/);
  });
});

describe("hijack", () => {
  const upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

  test("with upgrade answers 101 and streams both ways, half-close included", async () => {
    await using api = await openServer([echo]);
    using client = openClient(api.path);
    client.socket.write(`POST /v1.51/containers/x/attach?stream=1 HTTP/1.1\r\n${upgrade}\r\n`);
    const head = await client.until(/\r\n\r\n$/);
    assert.match(head, /^HTTP\/1\.1 101 UPGRADED\r\n/);
    assert.match(head, /\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream\r\n/);
    assert.match(head, /\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n/);
    client.socket.write("hello");
    await client.until(/HELLO$/);
    client.socket.end(" there");
    assert.match(await client.untilEnd(), /HELLO THEREBYE$/);
  });

  test("tells the raw type to old clients, for terminals, and without upgrade", async () => {
    await using api = await openServer([echo]);
    for (const [path, headers] of [
      ["/v1.41/containers/x/attach", upgrade],
      ["/containers/tty/attach", upgrade],
      ["/containers/x/attach", ""],
    ] as const) {
      using client = openClient(api.path);
      client.socket.end(`POST ${path} HTTP/1.1\r\n${headers}\r\n`);
      assert.match(await client.untilEnd(), /\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n/);
    }
  });

  test("without upgrade answers 200 with neither length nor chunks, stdin right behind the request", async () => {
    await using api = await openServer([echo]);
    using client = openClient(api.path);
    client.socket.end("POST /containers/x/attach HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\nnot http");
    const answer = await client.untilEnd();
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.ok(!/content-length|transfer-encoding/i.test(answer));
    assert.match(answer, /\r\n\r\nGET \/ HTTP\/1\.1\r\n\r\nNOT HTTPBYE$/);
  });

  for (const framing of ["Content-Length: 12\r\n", "Transfer-Encoding: chunked\r\n"]) {
    for (const headers of [upgrade, ""]) {
      test(`after a JSON body (${framing.trim()}, ${headers === "" ? "200" : "101"}), byte by byte`, async () => {
        const start: Route = {
          method: "POST",
          path: "/exec/{id}/start",
          hijacks: true,
          async handler(request, response) {
            const body = await readJsonBody(request, (value) => value);
            const connection = await hijack(request, response);
            connection.accept({ multiplexed: true });
            connection.socket.write(JSON.stringify(body));
            for await (const chunk of connection.socket.iterator({ destroyOnReturn: false })) {
              connection.socket.write(chunk);
            }
            connection.end();
          },
        };
        await using api = await openServer([start, ping]);
        using client = openClient(api.path);
        const json = '{"Tty":true}';
        const body = framing.startsWith("C")
          ? json
          : `5\r\n${json.slice(0, 5)}\r\n7\r\n${json.slice(5)}\r\n0\r\n\r\n`;
        const request = `GET /_ping HTTP/1.1\r\n\r\nPOST /exec/1/start HTTP/1.1\r\nContent-Type: application/json\r\n${framing}${headers}\r\n${body}stdin`;
        for (const byte of request) {
          client.socket.write(byte);
          await new Promise((resolve) => setImmediate(resolve));
        }
        client.socket.end();
        assert.match(await client.untilEnd(), /\r\n\r\nOKHTTP\/1\.1 [^]*\r\n\r\n\{"Tty":true\}stdin$/);
      });
    }
  }

  test("carries 5 MB that are there before the route takes them", async () => {
    await using api = await openServer([echo]);
    using client = openClient(api.path);
    const stdin = Buffer.alloc(5 << 20, "a");
    client.socket.write("POST /containers/x/attach HTTP/1.1\r\n\r\n");
    client.socket.end(stdin);
    const text = await client.untilEnd();
    const body = text.slice(text.indexOf("\r\n\r\n") + 4);
    assert.equal(body.length, stdin.length + 3);
    assert.ok(/^A+BYE$/.test(body));
  });

  test("that a route refuses is answered as any request, and the connection lives", async () => {
    const refuse: Route = {
      method: "POST",
      path: "/containers/{id}/attach",
      hijacks: true,
      handler: () => assert.fail("no such thing"),
    };
    await using api = await openServer([refuse, ping]);
    using client = openClient(api.path);
    client.socket.write(`POST /containers/x/attach HTTP/1.1\r\n${upgrade}\r\nGET /_ping HTTP/1.1\r\n\r\n`);
    await client.until(/500 Internal Server Error[^]*no such thing[^]*OK$/);
  });

  test("that fails later says so on the raw connection", async () => {
    const fail: Route = {
      method: "POST",
      path: "/containers/{id}/attach",
      hijacks: true,
      async handler(request, response) {
        const connection = await hijack(request, response);
        if (request.query.flag("accepted")) connection.accept({ multiplexed: false });
        connection.fail(new Error("it broke"));
      },
    };
    await using api = await openServer([fail]);
    using early = openClient(api.path);
    early.socket.end(`POST /containers/x/attach HTTP/1.1\r\n${upgrade}\r\n`);
    assert.match(await early.untilEnd(), /^HTTP\/1\.1 500 [^]*\r\n\r\n\{"message":"it broke"\}\n$/);
    using late = openClient(api.path);
    late.socket.end(`POST /containers/x/attach?accepted=1 HTTP/1.1\r\n${upgrade}\r\n`);
    assert.match(await late.untilEnd(), /^HTTP\/1\.1 101 UPGRADED[^]*\r\n\r\nit broke\r\n$/);
  });

  test("hands the descriptor on with every byte: what was read, and what the kernel still has", async () => {
    const handed = Promise.withResolvers<{ fd: number; unread: string }>();
    const release = Promise.withResolvers<void>();
    const give: Route = {
      method: "POST",
      path: "/containers/{id}/attach",
      hijacks: true,
      async handler(request, response) {
        const connection = await hijack(request, response);
        connection.accept({ multiplexed: false });
        await connection.handTo(async ({ fd, unread }) => {
          handed.resolve({ fd, unread: Buffer.from(unread).toString() });
          await release.promise;
        });
      },
    };
    await using api = await openServer([give]);
    using client = openClient(api.path);
    client.socket.write("POST /containers/x/attach HTTP/1.1\r\n\r\nearly");
    const { fd, unread } = await handed.promise;
    assert.equal(unread, "early");
    client.socket.write("late");
    const { readSync } = await import("node:fs");
    const late = Buffer.alloc(100);
    const got = await eventually(() => {
      try {
        return readSync(fd, late, 0, 100, null);
      } catch {
        return undefined; // EAGAIN: not there yet
      }
    });
    assert.equal(late.toString("utf8", 0, got), "late");
    release.resolve();
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 200 OK[^]*\r\n\r\n$/);
  });
});

describe("the address", () => {
  test("is a socket for owner and group, replaces a dead engine's, refuses a live one's and a file", async () => {
    await using dir = await openTempDir();
    const { stat, writeFile } = await import("node:fs/promises");
    const path = join(dir.path, "api.sock");
    const open = () => new ApiServer({ routes: [ping], version: "1", log: silentLogger });
    const first = open();
    await first.listen(`unix://${path}`);
    assert.equal((await stat(path)).mode & 0o777, 0o660);
    await assert.rejects(open().listen(`unix://${path}`), { kind: "unavailable", code: "ADDRESS_IN_USE" });
    await first.close();
    await assert.rejects(stat(path), { code: "ENOENT" });
    await writeFile(path, "");
    await assert.rejects(open().listen(`unix://${path}`), { kind: "conflict" });
    for (const address of [
      "unix://relative",
      "http://x:1",
      "tcp://x",
      "tcp://x:70000",
      `unix:///${"x".repeat(107)}`,
    ]) {
      await assert.rejects(open().listen(address), { kind: "invalid-argument" }, address);
    }
  });

  test("also answers HTTP/2: UNIMPLEMENTED for gRPC, 501 for the rest", async () => {
    await using api = await openServer([ping]);
    const session = connectHttp2("http://engine", { createConnection: () => connect(api.path) });
    const ask = async (headers: Record<string, string>) => {
      const stream = session.request(headers, { endStream: true });
      return await new Promise<Record<string, unknown>>((resolve, reject) => {
        stream.on("response", resolve);
        stream.on("error", reject);
      });
    };
    const grpc = await ask({
      ":method": "POST",
      ":path": "/moby.buildkit.v1.Control/Info",
      "content-type": "application/grpc",
    });
    assert.equal(grpc["grpc-status"], "12");
    assert.equal((await ask({ ":path": "/_ping" }))[":status"], 501);
    session.destroy();
  });
});
