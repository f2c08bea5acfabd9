import assert from "node:assert/strict";
import { closeSync, readSync, writeSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "@hawser/base/testing";
import { connectUnix } from "@hawser/linux";
import { hijack } from "./hijack.ts";
import { readJsonBody } from "./request.ts";
import type { Route } from "./router.ts";
import { openApi } from "./testing/open-api.ts";
import { openRawClient } from "./testing/raw-client.ts";

const ping: Route = { method: "GET", path: "/_ping", handler: (_, response) => response.sendText(200, "OK") };
/** Sends back what it gets, in capitals, and a last word when the client half-closes. */
const echo: Route = {
  method: "POST",
  path: "/containers/{id}/attach",
  hijacks: true,
  async handler(request, response) {
    const connection = await hijack(request, response);
    await connection.accept({ multiplexed: request.param("id") !== "tty" });
    for await (const chunk of connection.socket.iterator({ destroyOnReturn: false })) {
      connection.socket.write(String(chunk).toUpperCase());
    }
    connection.end("BYE");
  },
};

describe("hijack", () => {
  const upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

  test("with upgrade answers 101 and streams both ways, half-close included", async () => {
    await using api = await openApi([echo]);
    using client = openRawClient(api.path);
    client.socket.write(`POST /v1.51/containers/x/attach?stream=1 HTTP/1.1\r\n${upgrade}\r\n`);
    const head = await client.until(/\r\n\r\n$/);
    assert.match(head, /^HTTP\/1\.1 101 UPGRADED\r\n/);
    assert.match(head, /\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream\r\n/);
    assert.match(head, /\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n/);
    client.socket.write("hello");
    await client.until(/HELLO$/);
    client.socket.end(" there");
    assert.match(await client.untilEnd(), /HELLO THERE\x01\0{6}\x03BYE$/);
  });

  test("docker-py has read the head before anything follows, which it would lose", async () => {
    const eager: Route = {
      ...echo,
      async handler(request, response) {
        const connection = await hijack(request, response);
        await connection.accept({ multiplexed: false });
        connection.end("at once");
      },
    };
    await using api = await openApi([eager]);
    const fd = connectUnix(api.path);
    try {
      const agent = "User-Agent: docker-sdk-python/7.1.0\r\n";
      writeSync(fd, `POST /containers/x/attach HTTP/1.1\r\n${upgrade}${agent}\r\n`);
      await delay(200); // a slow client
      const read = () => {
        const bytes = Buffer.alloc(8192);
        return bytes.toString("utf8", 0, readSync(fd, bytes));
      };
      assert.match(read(), /^HTTP\/1\.1 101 UPGRADED\r\n[^]*\r\n\r\n$/);
      await delay(100);
      assert.equal(read(), "at once");
    } finally {
      closeSync(fd);
    }
  });

  test("tells the raw type to old clients, for terminals, and without upgrade", async () => {
    await using api = await openApi([echo]);
    for (const [path, headers] of [
      ["/v1.41/containers/x/attach", upgrade],
      ["/containers/tty/attach", upgrade],
      ["/containers/x/attach", ""],
    ] as const) {
      using client = openRawClient(api.path);
      client.socket.end(`POST ${path} HTTP/1.1\r\n${headers}\r\n`);
      assert.match(await client.untilEnd(), /\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n/);
    }
  });

  test("without upgrade answers 200 with neither length nor chunks, stdin right behind the request", async () => {
    await using api = await openApi([echo]);
    using client = openRawClient(api.path);
    client.socket.end("POST /containers/x/attach HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\nnot http");
    const answer = await client.untilEnd();
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.ok(!/content-length|transfer-encoding/i.test(answer));
    assert.match(answer, /\r\n\r\nGET \/ HTTP\/1\.1\r\n\r\nNOT HTTP\x01\0{6}\x03BYE$/);
  });

  for (const framing of ["Content-Length: 12\r\n", "Transfer-Encoding: chunked\r\n"]) {
    for (const headers of [upgrade, ""]) {
      test(`after a JSON body (${framing.trim()}, ${headers === "" ? "200" : "101"}), byte by byte`, async () => {
        const start: Route = {
          method: "POST",
          path: "/exec/{id}/start",
          hijacks: true,
          async handler(request, response) {
            const body = await readJsonBody(request, (value) => value, { type: "json" });
            const connection = await hijack(request, response);
            await connection.accept({ multiplexed: true });
            connection.socket.write(JSON.stringify(body));
            for await (const chunk of connection.socket.iterator({ destroyOnReturn: false })) {
              connection.socket.write(chunk);
            }
            connection.end();
          },
        };
        await using api = await openApi([start, ping]);
        using client = openRawClient(api.path);
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
    await using api = await openApi([echo]);
    using client = openRawClient(api.path);
    const stdin = Buffer.alloc(5 << 20, "a");
    client.socket.write("POST /containers/x/attach HTTP/1.1\r\n\r\n");
    client.socket.end(stdin);
    const text = await client.untilEnd();
    const body = text.slice(text.indexOf("\r\n\r\n") + 4);
    assert.equal(body.length, stdin.length + 8 + 3);
    assert.ok(/^A+\x01\0{6}\x03BYE$/.test(body));
  });

  test("that a route refuses is answered as any request, and the connection lives", async () => {
    const refuse: Route = {
      method: "POST",
      path: "/containers/{id}/attach",
      hijacks: true,
      handler: () => assert.fail("no such thing"),
    };
    await using api = await openApi([refuse, ping]);
    using client = openRawClient(api.path);
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
        if (request.query.flag("accepted")) await connection.accept({ multiplexed: false });
        connection.fail(new Error("it broke"));
      },
    };
    await using api = await openApi([fail]);
    using early = openRawClient(api.path);
    early.socket.end(`POST /containers/x/attach HTTP/1.1\r\n${upgrade}\r\n`);
    assert.match(await early.untilEnd(), /^HTTP\/1\.1 500 [^]*\r\n\r\n\{"message":"it broke"\}\n$/);
    using late = openRawClient(api.path);
    late.socket.end(`POST /containers/x/attach?accepted=1 HTTP/1.1\r\n${upgrade}\r\n`);
    assert.match(await late.untilEnd(), /^HTTP\/1\.1 101 UPGRADED[^]*\r\n\r\nit broke\r\n$/);
  });

  for (const [multiplexed, lastWord] of [
    [false, "no such program\r\n"],
    [true, "\x01\0\0\0\0\0\0\x11no such program\r\n"],
  ] as const) {
    test(`can still say why when the handing over failed (${multiplexed ? "framed" : "raw"})`, async () => {
      const give: Route = {
        method: "POST",
        path: "/exec/{id}/start",
        hijacks: true,
        async handler(request, response) {
          const connection = await hijack(request, response);
          await connection.accept({ multiplexed });
          await assert.rejects(
            connection.handTo(() => Promise.reject(new Error("no such program"))),
            /no such program/,
          );
          connection.end("no such program\r\n");
        },
      };
      await using api = await openApi([give]);
      using client = openRawClient(api.path);
      client.socket.write("POST /exec/x/start HTTP/1.1\r\n\r\nunread");
      const answer = await client.untilEnd();
      assert.equal(answer.slice(answer.indexOf("\r\n\r\n") + 4), lastWord);
    });
  }

  test("hands on what a client sent that half-closed at once, and its end", async () => {
    const handed = Promise.withResolvers<string>();
    const give: Route = {
      method: "POST",
      path: "/containers/{id}/attach",
      hijacks: true,
      async handler(request, response) {
        await eventually(() => client.socket.writableFinished); // the end of input is here before the hijack
        const connection = await hijack(request, response);
        await connection.accept({ multiplexed: false });
        await connection.handTo(async ({ fd, unread }) => {
          const rest = readSync(fd, Buffer.alloc(10), 0, 10, null);
          writeSync(fd, "reply");
          handed.resolve(`${Buffer.from(unread).toString()}, then ${rest} bytes`);
        });
      },
    };
    await using api = await openApi([give]);
    using client = openRawClient(api.path);
    client.socket.end("POST /containers/x/attach HTTP/1.1\r\n\r\nall of it");
    assert.equal(await handed.promise, "all of it, then 0 bytes");
    assert.match(await client.untilEnd(), /\r\n\r\nreply$/);
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
        await connection.accept({ multiplexed: false });
        await connection.handTo(async ({ fd, unread }) => {
          handed.resolve({ fd, unread: Buffer.from(unread).toString() });
          await release.promise;
        });
      },
    };
    await using api = await openApi([give]);
    using client = openRawClient(api.path);
    client.socket.write("POST /containers/x/attach HTTP/1.1\r\n\r\nearly");
    const { fd, unread } = await handed.promise;
    assert.equal(unread, "early");
    client.socket.write("late");
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
