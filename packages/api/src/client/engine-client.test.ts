import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { Fault } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { parseEndpoint } from "./endpoint.ts";
import { EngineClient } from "./engine-client.ts";
import { splitJson } from "./json-lines.ts";

/** A server that does with each connection what `serve` says, byte by byte. */
async function openServer(serve: (socket: Socket) => void) {
  const dir = await openTempDir();
  const path = join(dir.path, "engine.sock");
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(path);
  await once(server, "listening");
  const client = new EngineClient({ endpoint: parseEndpoint(`unix://${path}`) });
  return {
    client,
    connections: sockets,
    [Symbol.asyncDispose]: async () => {
      client.close();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Answers each request, read up to the end of its head or body, with what `reply` gives. */
function answering(reply: (request: string, socket: Socket) => string | undefined) {
  return (socket: Socket) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
      const chunkedBody = /transfer-encoding: chunked/i.test(text.slice(0, end));
      if (chunkedBody ? !text.endsWith("0\r\n\r\n") : text.length < end + 4 + length) return;
      const request = text;
      text = "";
      const answer = reply(request, socket);
      if (answer !== undefined) socket.write(answer);
    });
  };
}

const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const get = { method: "GET", path: "/x" } as const;

test("EngineClient keeps an idle connection and uses it again", async () => {
  await using server = await openServer(answering(() => ok("{}")));
  for (let round = 0; round < 3; round++) await server.client.json(get);
  assert.equal(server.connections.size, 1);
  await Promise.all([server.client.json(get), server.client.json(get)]);
  assert.equal(server.connections.size, 2);
});

test("EngineClient asks again when the engine closed the idle connection", async () => {
  await using server = await openServer(
    answering((_, socket) => {
      socket.write(ok('{"n":1}'), () => socket.destroySoon());
      return undefined;
    }),
  );
  for (let round = 0; round < 5; round++) assert.deepEqual(await server.client.json(get), { n: 1 });
});

test("ping() agrees on the older version, and requests carry it", async () => {
  const seen: string[] = [];
  await using server = await openServer(
    answering((request) => {
      seen.push(request.split("\r\n", 1)[0] ?? "");
      return "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Length: 2\r\n\r\n".concat(
        request.startsWith("HEAD") ? "" : "{}",
      );
    }),
  );
  await server.client.ping();
  await server.client.json({
    method: "GET",
    path: "/containers/json",
    query: { all: true, limit: undefined, x: ["a b", "&"] },
  });
  assert.deepEqual(seen, ["HEAD /_ping HTTP/1.1", "GET /v1.41/containers/json?all=1&x=a%20b&x=%26 HTTP/1.1"]);
});

test("a refusal becomes a fault of its kind, with the engine's words", async () => {
  const cases: readonly (readonly [number, string, string, string])[] = [
    [
      404,
      '{"message":"No such container: x"}',
      "not-found",
      "Error response from daemon: No such container: x",
    ],
    [409, '{"message":"Conflict"}\n', "conflict", "Error response from daemon: Conflict"],
    [400, "plain words\n", "invalid-argument", "Error response from daemon: plain words"],
    [500, "", "internal", "Error response from daemon: 500 Oops"],
    [304, "", "not-modified", "Error response from daemon: 304 Oops"],
  ];
  for (const [status, body, kind, words] of cases) {
    await using server = await openServer(
      answering(
        () => `HTTP/1.1 ${status} Oops\r\nContent-Length: ${status === 304 ? 0 : body.length}\r\n\r\n${body}`,
      ),
    );
    await assert.rejects(
      server.client.json(get),
      (error) => error instanceof Fault && error.kind === kind && error.message === words,
    );
  }
});

test("bytes are sent chunked, and not faster than the engine reads", async () => {
  let produced = 0;
  let resume = () => {};
  let tail = "";
  await using server = await openServer((socket) => {
    resume = () => {
      socket.on("data", (chunk: Buffer) => {
        tail = (tail + chunk.subarray(-5).toString("latin1")).slice(-5);
        if (tail === "0\r\n\r\n") socket.write(ok('{"done":true}'));
      });
    };
  });
  async function* bytes() {
    for (; produced < 100; produced++) yield Buffer.alloc(64 << 10);
  }
  const reply = server.client.json({ method: "POST", path: "/images/load", bytes: bytes() });
  while (produced === 0) await new Promise(setImmediate);
  for (let round = 0; round < 50; round++) await new Promise(setImmediate);
  assert.ok(produced < 50, `${produced} chunks were taken while nobody read`);
  resume();
  assert.deepEqual(await reply, { done: true });
  assert.equal(produced, 100);
});

test("an early refusal of a long body is told, and the rest is not sent", async () => {
  let produced = 0;
  await using server = await openServer((socket) => {
    socket.once("data", () => {
      socket.write('HTTP/1.1 400 Bad\r\nConnection: close\r\nContent-Length: 17\r\n\r\n{"message":"no!"}');
    });
  });
  async function* bytes() {
    for (; produced < 10_000; produced++) {
      yield Buffer.alloc(1 << 10);
      await new Promise(setImmediate);
    }
  }
  await assert.rejects(
    server.client.send({ method: "POST", path: "/images/load", bytes: bytes() }),
    /Error response from daemon: no!/,
  );
  assert.ok(produced < 1000, `${produced} chunks were sent`);
});

test("an engine that dies in the middle of a reply is told", async () => {
  await using server = await openServer(
    answering((_, socket) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", () =>
        socket.destroySoon(),
      );
      return undefined;
    }),
  );
  const { body } = await server.client.send(get);
  let text = "";
  await assert.rejects(
    async () => {
      for await (const chunk of body) text += chunk.toString();
    },
    (error) => Fault.is(error, "unavailable"),
  );
  assert.equal(text, "hello");
});

test("upgrade() gives both directions, and a half-close leaves the other open", async () => {
  await using server = await openServer((socket) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      const isHead = text === "";
      text += chunk.toString();
      if (isHead)
        socket.write(
          "HTTP/1.1 101 UPGRADED\r\nContent-Type: a/b\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst,",
        );
    });
    socket.on("end", () => socket.end(`got ${text.split("\r\n\r\n")[1]}`));
  });
  const { socket, contentType } = await server.client.upgrade({ method: "POST", path: "/attach" });
  let seen = "";
  socket.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  socket.resume();
  socket.end("input");
  await once(socket, "end");
  assert.deepEqual([seen, contentType], ["first,got input", "a/b"]);
});

test("upgrade() tells the engine's refusal, and a reply without upgrade", async () => {
  await using server = await openServer(
    answering((request) =>
      request.includes("/attach")
        ? 'HTTP/1.1 409 Conflict\r\nContent-Length: 20\r\n\r\n{"message":"paused"}'
        : ok("{}"),
    ),
  );
  await assert.rejects(
    server.client.upgrade({ method: "POST", path: "/attach" }),
    /Error response from daemon: paused/,
  );
  await assert.rejects(
    server.client.upgrade({ method: "POST", path: "/other" }),
    /unable to upgrade to tcp, received 200/,
  );
});

test("an abort ends a wait and a body", async () => {
  await using server = await openServer(
    answering((request) =>
      request.includes("/silent") ? undefined : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
  );
  const abort = new AbortController();
  const silent = server.client.send({ method: "GET", path: "/silent", signal: abort.signal });
  const { body } = await server.client.send({ method: "GET", path: "/events", signal: abort.signal });
  const reading = (async () => {
    for await (const _ of body);
  })();
  abort.abort();
  for (const wait of [silent, reading]) await assert.rejects(wait, (error) => Fault.is(error, "canceled"));
  await assert.rejects(server.client.send({ ...get, signal: abort.signal }));
});

test("nobody there is a fault with the system's error as its cause", async () => {
  await using dir = await openTempDir();
  const client = new EngineClient({ endpoint: parseEndpoint(`unix://${dir.path}/none.sock`) });
  await assert.rejects(client.ping(), (error) => {
    assert.ok(Fault.is(error, "unavailable") && error.code === "ENGINE_UNREACHABLE");
    return (error.cause as { readonly code?: string }).code === "ENOENT";
  });
});

test("splitJson() finds values however they are cut and joined", async () => {
  const text = '{"a":"}{\\"]"}\r\n{"b":[{"c":1}]}{"d":"é"}\n';
  const whole = Buffer.from(text);
  for (let size = 1; size <= whole.length; size++) {
    async function* chunks() {
      for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
    }
    const values: unknown[] = [];
    for await (const value of splitJson(chunks())) values.push(JSON.parse(value));
    assert.deepEqual(values, [{ a: '}{"]' }, { b: [{ c: 1 }] }, { d: "é" }]);
  }
  async function* cut() {
    yield Buffer.from('{"a":');
  }
  await assert.rejects(
    async () => {
      for await (const _ of splitJson(cut()));
    },
    (error) => Fault.is(error, "data-loss"),
  );
});

test("parseEndpoint() reads Docker's addresses", () => {
  assert.deepEqual(parseEndpoint("unix:///a/b.sock"), {
    kind: "unix",
    text: "unix:///a/b.sock",
    path: "/a/b.sock",
  });
  const tcp = (text: string) => {
    const endpoint = parseEndpoint(text);
    return endpoint.kind === "tcp" ? [endpoint.host, endpoint.port, endpoint.basePath] : undefined;
  };
  assert.deepEqual(tcp("tcp://host:1234/base/"), ["host", 1234, "/base"]);
  assert.deepEqual(tcp("tcp://:2375"), ["127.0.0.1", 2375, ""]);
  assert.deepEqual(tcp("http://[::1]:80"), ["::1", 80, ""]);
  assert.deepEqual(tcp("tcp://host"), ["host", 2375, ""]);
  for (const text of ["", "x", "unix://relative", "tcp://a b", "tcp://a:99999", "foo://x", "tcp://a:0"]) {
    assert.throws(
      () => parseEndpoint(text),
      (error) => Fault.is(error, "invalid-argument"),
      text,
    );
  }
  const environment = {};
  assert.deepEqual(parseEndpoint("ssh://me@host:77/run/x.sock", { environment }), {
    kind: "ssh",
    text: "ssh://me@host:77/run/x.sock",
    host: "host",
    port: 77,
    user: "me",
    path: "/run/x.sock",
    environment,
  });
  for (const text of [
    "ssh://",
    "ssh://-oX",
    "ssh://-l@h",
    "ssh://h/a b",
    "ssh://h/$(x)",
    "ssh://h/';x",
    "ssh://h:0",
  ]) {
    assert.throws(() => parseEndpoint(text), { kind: "invalid-argument" }, text);
  }
  assert.throws(
    () => parseEndpoint("npipe:////./pipe/docker"),
    (error) => Fault.is(error, "not-implemented"),
  );
});
