import assert from "node:assert/strict";
import test from "node:test";
import { Fault } from "@hawser/base";
import { type ResponseHead, ResponseParser } from "./response-parser.ts";

interface Seen {
  readonly head: ResponseHead | undefined;
  readonly body: string;
  readonly end: boolean | undefined;
  readonly upgraded: string | undefined;
}

function parse(
  chunks: readonly Buffer[],
  options: { readonly isHead?: boolean; readonly close?: boolean } = {},
): Seen {
  let head: ResponseHead | undefined;
  let body = "";
  let end: boolean | undefined;
  let upgraded: string | undefined;
  const parser = new ResponseParser({
    isHead: options.isHead ?? false,
    events: {
      head: (received) => {
        head = received;
      },
      body: (chunk) => {
        body += chunk.toString("latin1");
      },
      end: (reusable) => {
        end = reusable;
      },
      upgraded: (first) => {
        upgraded = first.toString("latin1");
      },
    },
  });
  for (const chunk of chunks) parser.push(chunk);
  if (options.close === true) parser.close();
  return { head, body, end, upgraded };
}

const chunked =
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a:  2 \r\n\r\n5;x=y\r\nhello\r\n3\r\n, w\r\n0\r\nTrailer: t\r\n\r\n";

test("ResponseParser gives the same for a response in pieces of any size", () => {
  const whole = Buffer.from(chunked);
  for (let size = 1; size <= whole.length; size++) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < whole.length; at += size) chunks.push(whole.subarray(at, at + size));
    const { head, body, end } = parse(chunks);
    assert.deepEqual(
      [head?.status, head?.headers.get("x-a"), body, end],
      [200, "1, 2", "hello, w", true],
      `size ${size}`,
    );
  }
});

test("ResponseParser knows where each kind of body ends", () => {
  const text = (head: string, rest = "") => [Buffer.from(`HTTP/1.1 ${head}\r\n\r\n${rest}`)];
  assert.equal(parse(text("200 OK\r\nContent-Length: 3", "abc")).body, "abc");
  assert.equal(parse(text("200 OK\r\nContent-Length: 0")).end, true);
  assert.equal(parse(text("204 No Content")).end, true);
  assert.equal(parse(text("304 Not Modified\r\nContent-Length: 7")).end, true);
  assert.equal(parse(text("200 OK\r\nContent-Length: 7"), { isHead: true }).end, true);
  assert.equal(parse(text("200 OK\r\nConnection: close\r\nContent-Length: 1", "x")).end, false);
  assert.deepEqual(parse(text("200 OK", "until the end"), { close: true }).body, "until the end");
  const { upgraded, end } = parse(text("101 UPGRADED\r\nUpgrade: tcp", "raw bytes"));
  assert.deepEqual([upgraded, end], ["raw bytes", undefined]);
});

test("ResponseParser refuses what is not HTTP/1.1, and whatever has no end", () => {
  const bad: readonly string[] = [
    "SSH-2.0-OpenSSH\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    `HTTP/1.1 200 OK\r\nX: ${"y".repeat(300_000)}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(60_000)}`,
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
  ];
  for (const text of bad) {
    assert.throws(
      () => parse([Buffer.from(text)]),
      (error) => Fault.is(error, "data-loss"),
      text.slice(0, 60),
    );
  }
  for (const cut of ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "HTTP/1.1 200", ""]) {
    assert.throws(
      () => parse([Buffer.from(cut)], { close: true }),
      (error) => Fault.is(error, "data-loss"),
    );
  }
});
