import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { get } from "node:https";
import { connect as connectPlain } from "node:net";
import { describe, test } from "node:test";
import { type ConnectionOptions, connect } from "node:tls";
import { certificates, eventually } from "@hawser/base/testing";
import { hijack } from "./hijack.ts";
import type { Route } from "./router.ts";
import { openApi } from "./testing/open-api.ts";

const ping: Route = { method: "GET", path: "/_ping", handler: (_, response) => response.sendText(200, "OK") };
/** Hands its client to `cat`. */
const echo: Route = {
  method: "POST",
  path: "/echo",
  hijacks: true,
  async handler(request, response) {
    const connection = await hijack(request, response);
    await connection.accept({ multiplexed: false });
    await connection.handTo(async ({ fd }) => {
      await once(spawn("cat", { stdio: [fd, fd, "ignore"] }), "spawn");
    });
  },
};

const serverTls = {
  certificate: readFileSync(certificates.server.cert),
  key: readFileSync(certificates.server.key),
};
const clientAuthority = readFileSync(certificates.authority);
const credentials = (who: "client" | "stranger") => ({
  cert: readFileSync(certificates[who].cert),
  key: readFileSync(certificates[who].key),
});

async function open(options: { readonly mutual?: boolean; readonly handshakeTimeoutMs?: number } = {}) {
  const { mutual = true, ...rest } = options;
  const tls = { ...serverTls, ...(mutual && { clientAuthority }) };
  const api = await openApi([ping, echo], { tls, ...rest });
  const { port } = new URL((await api.server.listen("tcp://127.0.0.1:0")).replace("tcp:", "http:"));
  const address = { host: "127.0.0.1", port: Number(port), ca: clientAuthority };
  return { address, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

async function pingBy(options: ConnectionOptions): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const asked = get({ ...options, path: "/_ping", agent: false } as object, (response) => {
    response.resume();
    resolve(response.statusCode);
  });
  asked.on("error", reject);
  return await promise;
}

describe("the API by TLS", () => {
  test("lets in whom the authority vouches for, and nobody else", async () => {
    await using api = await open();
    assert.equal(await pingBy({ ...api.address, ...credentials("client") }), 200);
    await assert.rejects(pingBy(api.address), /certificate required|ECONNRESET|socket hang up/);
    await assert.rejects(pingBy({ ...api.address, ...credentials("stranger") }), /alert|ECONNRESET|hang up/);
    assert.equal(await pingBy({ ...api.address, ...credentials("client") }), 200);
  });

  test("lets in anybody without an authority, always encrypted", async () => {
    await using api = await open({ mutual: false });
    assert.equal(await pingBy(api.address), 200);
    const plain = connectPlain(api.address);
    plain.write("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = "";
    plain.on("data", (chunk) => (answer += chunk.toString("latin1")));
    await once(plain, "close");
    assert.doesNotMatch(answer, /HTTP/);
  });

  test("does not wait for ever for a handshake", async () => {
    await using api = await open({ handshakeTimeoutMs: 1500 });
    for (const bytes of ["", "\x16\x03\x01"]) {
      const slow = connectPlain(api.address);
      slow.on("error", () => {});
      slow.resume();
      if (bytes !== "") slow.write(bytes, "latin1");
      await once(slow, "close");
    }
    assert.equal(await pingBy({ ...api.address, ...credentials("client") }), 200);
  });

  test("is not blocked by those who never end their handshakes", async () => {
    await using api = await open();
    const slow = Array.from({ length: 300 }, () => connectPlain(api.address));
    let closed = 0;
    for (const socket of slow) {
      socket.on("error", () => {});
      socket.resume();
      socket.on("close", () => closed++);
    }
    await eventually(() => closed === 300 - 256);
    assert.equal(await pingBy({ ...api.address, ...credentials("client") }), 200);
    await eventually(() => closed === 300 - 256 + 1);
    for (const socket of slow) socket.destroy();
  });

  test("relays a stream to the process that gets it, half-closes included", async () => {
    await using api = await open();
    const options: ConnectionOptions & { readonly allowHalfOpen: true } = {
      ...api.address,
      ...credentials("client"),
      allowHalfOpen: true,
    };
    const client = connect(options);
    client.write("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly ");
    const chunks: Buffer[] = [];
    client.on("data", (chunk: Buffer) => chunks.push(chunk));
    const large = Buffer.alloc(3 << 20, "x");
    client.write(large);
    client.end("last");
    await once(client, "end");
    const text = Buffer.concat(chunks).toString();
    assert.match(text, /^HTTP\/1\.1 101 UPGRADED\r\n/);
    assert.equal(text.split("\r\n\r\n")[1], `early ${large.toString()}last`);
    await once(client, "close");
  });
});
