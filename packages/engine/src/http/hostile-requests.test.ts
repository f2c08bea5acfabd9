import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readJsonBody } from "./request.ts";
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
      await using api = await openApi([ping, text]);
      using client = openRawClient(api.path);
      client.socket.write(bytes, "latin1");
      assert.match(await client.until(/malformed/), /^HTTP\/1\.1 400 Bad Request\r\n/);
    });
  }

  test("a head without end costs no more than its limit", async () => {
    await using api = await openApi([ping], { maxHeadBytes: 10_000 });
    using client = openRawClient(api.path);
    client.socket.write(`GET /_ping HTTP/1.1\r\nA: ${"x".repeat(20_000)}`);
    client.socket.end();
    assert.match(await client.untilEnd(), /head is larger than 10000 bytes/);
  });

  test("a head that takes too long is cut off, an idle connection is not", async () => {
    await using api = await openApi([ping], { headTimeoutMs: 50 });
    using idle = openRawClient(api.path);
    using slow = openRawClient(api.path);
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
    await using api = await openApi([whoAmI]);
    using client = openRawClient(api.path);
    client.socket.write("GET /who HTTP/1.1\r\n\r\n");
    const text = await client.until(/\}\n$/);
    const peer = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
    assert.deepEqual(JSON.parse(text.split("\r\n\r\n")[1] ?? ""), peer);
  });

  test("a web page's request over TCP is refused", async () => {
    await using api = await openApi([ping]);
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
        response.sendJson(200, await readJsonBody(request, (value) => value, { type: "json" }));
      },
    };
    await using api = await openApi([json]);
    const ask = async (body: string, type = "application/json") => {
      using client = openRawClient(api.path);
      client.socket.write(
        `POST /json HTTP/1.1\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
      return (await client.untilEnd()).split("\r\n\r\n")[1];
    };
    assert.equal(await ask('{"a":"<ü>"}', "application/json; charset=utf-8"), '{"a":"<\u00c3\u00bc>"}\n');
    assert.equal(await ask(""), "{}\n");
    assert.equal(await ask(" "), '{"message":"invalid JSON: got EOF while reading request body"}\n');
    assert.equal(await ask("{} {}"), '{"message":"unexpected content after JSON"}\n');
    assert.equal(await ask('{"a"'), '{"message":"invalid JSON: unexpected EOF"}\n');
    assert.match((await ask("{a}")) ?? "", /^\{"message":"invalid JSON: /);
    assert.equal(
      await ask("{}", "text/plain"),
      '{"message":"unsupported Content-Type header (text/plain): must be \'application/json\'"}\n',
    );
    assert.match((await ask(" ".repeat(9 << 20))) ?? "", /request body is larger/);
    assert.match((await ask("[".repeat(1 << 20))) ?? "", /invalid JSON/);
  });
});
