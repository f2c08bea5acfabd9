import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import WebSocket from "ws";
import { ask, openRaw } from "./kit-http.ts";
import { requireIdleAfterEach } from "./kit-idle.ts";
import { againstDockerd, useTarget } from "./kit-target.ts";

const target = useTarget();

/** A websocket on a container, and all that came over it. */
async function open(name: string, query: string) {
  const socket = new WebSocket(`ws+unix:${target.socket()}:/containers/${name}/attach/ws?${query}`);
  let heard = "";
  let isBinary = true;
  socket.on("message", (data: Buffer, binary: boolean) => {
    heard += data.toString();
    isBinary &&= binary;
  });
  const closed = once(socket, "close");
  await once(socket, "open");
  return {
    socket,
    closed,
    heard: () => heard,
    isBinary: () => isBinary,
    hears: (text: string) => eventually(() => heard.includes(text), { what: `hears ${text}, not ${heard}` }),
    [Symbol.dispose]: () => socket.terminate(),
  };
}

/** What a handshake that is refused is told. */
async function refused(name: string): Promise<number> {
  const socket = new WebSocket(`ws+unix:${target.socket()}:/containers/${name}/attach/ws?stream=1&stdout=1`);
  socket.on("error", () => {});
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
  return response.statusCode;
}

const handshake = (name: string, more = "") =>
  `GET /containers/${name}/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n${more}`;

describe("attach by websocket", () => {
  if (!againstDockerd) requireIdleAfterEach(() => target.engine());

  test("before the start: both streams, input, and the end", async () => {
    await target.ok(
      "create",
      "-i",
      "--name",
      "before",
      "busybox",
      "sh",
      "-c",
      "echo out; echo err >&2; read x; echo got $x",
    );
    using attached = await open("before", "stream=1&stdin=1&stdout=1&stderr=1");
    await target.ok("start", "before");
    await attached.hears("out\n");
    await attached.hears("err\n");
    attached.socket.send("through text\n");
    await attached.hears("got through text\n");
    await attached.closed;
    assert.ok(attached.isBinary(), "output comes in binary messages");
    await target.ok("rm", "before");
  });

  test("while it runs, on a terminal, with what was said before", async () => {
    await target.ok("run", "-dit", "--name", "terminal", "busybox", "sh", "-c", "echo early; cat");
    await eventually(async () => (await target.ok("logs", "terminal")).includes("early"));
    using attached = await open("terminal", "logs=1&stream=1&stdin=1&stdout=1");
    await attached.hears("early\r\n");
    attached.socket.send(Buffer.from("typed\n"));
    await attached.hears("typed\r\ntyped\r\n");
    await target.ok("rm", "-f", "terminal");
    await attached.closed;
  });

  test("a client that closes ends the input that is open once; one that vanishes leaves nothing", async () => {
    await target.ok("create", "-i", "--name", "once", "busybox", "sh", "-c", "cat; echo over");
    using first = await open("once", "stream=1&stdin=1&stdout=1");
    await target.ok("start", "once");
    first.socket.send("a\n");
    await first.hears("a\n");
    using second = await open("once", "stream=1&stdout=1");
    second.socket.terminate();
    first.socket.close();
    await eventually(async () => (await target.ok("logs", "once")) === "a\nover\n");
    await target.ok("rm", "-f", "once");
  });

  test("much output arrives whole", async () => {
    await target.ok("create", "--name", "much", "busybox", "seq", "1", "200000");
    using attached = await open("much", "stream=1&stdout=1");
    await target.ok("start", "much");
    await attached.closed;
    assert.equal(attached.heard(), Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join(""));
    await target.ok("rm", "much");
  });

  test("what is wrong is refused", async () => {
    assert.equal(await refused("nowhere"), 404);
    await target.ok("run", "-d", "--name", "here", "busybox", "sleep", "1000");
    await target.ok("pause", "here");
    assert.equal(await refused("here"), 409);
    await target.ok("unpause", "here");
    const plain = await ask(target.socket(), "GET /containers/here/attach/ws?stream=1&stdout=1");
    assert.ok(plain.status >= 400 && plain.status < 500, `no handshake: ${plain.status}`);
    await target.ok("rm", "-f", "here");
  });

  for (const [what, bytes] of [
    ["not masked", "\x81\x02hi"],
    ["of an unknown kind", "\x83\x80\0\0\0\0"],
    ["of a length beyond any", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"],
    ["cut off", "\x82\xfe\xff"],
  ] as const) {
    test(`a message that is ${what} ends the session and harms nobody`, {
      skip: againstDockerd,
    }, async () => {
      await target.ok("run", "-di", "--name", "hardy", "busybox", "cat");
      using raw = openRaw(target.socket(), "");
      raw.socket.write(handshake("hardy", bytes), "latin1");
      await raw.until((text) => text.includes("101 Switching Protocols"));
      raw.socket.end();
      await raw.ended;
      assert.equal(await target.ok("exec", "hardy", "echo", "well"), "well\n");
      await target.ok("rm", "-f", "hardy");
    });
  }
});
