import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { certificates, openTempDir } from "@hawser/base/testing";
import { type ClientTls, parseEndpoint } from "./endpoint.ts";
import { EngineClient } from "./engine-client.ts";

const authority = readFileSync(certificates.authority);
const pairOf = (who: "client" | "stranger") => ({
  certificate: readFileSync(certificates[who].cert),
  key: readFileSync(certificates[who].key),
});

async function openTlsEngine() {
  const server = createTlsServer(
    {
      cert: readFileSync(certificates.server.cert),
      key: readFileSync(certificates.server.key),
      ca: authority,
      requestCert: true,
    },
    (_, response) => response.setHeader("Api-Version", "1.51").end('{"who":"me"}'),
  );
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ask = async (tls: ClientTls | undefined) => {
    const client = new EngineClient({ endpoint: parseEndpoint(`tcp://127.0.0.1:${port}`, { tls }) });
    try {
      return await client.json<{ who: string }>({ method: "GET", path: "/x" });
    } finally {
      client.destroy();
    }
  };
  return {
    ask,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("by TLS a client is sure of the engine, and the engine of it", async () => {
  await using engine = await openTlsEngine();
  assert.deepEqual(await engine.ask({ insecure: false, authority, ...pairOf("client") }), { who: "me" });
  assert.deepEqual(await engine.ask({ insecure: true, ...pairOf("client") }), { who: "me" });
  const unavailable = { kind: "unavailable" };
  await assert.rejects(engine.ask({ insecure: false, ...pairOf("client") }), unavailable);
  await assert.rejects(engine.ask({ insecure: false, authority }), unavailable);
  await assert.rejects(engine.ask({ insecure: false, authority, ...pairOf("stranger") }), unavailable);
  await assert.rejects(engine.ask(undefined), unavailable);
});

/** What `ssh` and the client at its other end do, without either. */
const fakeSsh = `#!${process.execPath}
const fs = require("fs");
fs.writeFileSync(process.env.SEEN, JSON.stringify(process.argv.slice(2)));
if (!process.env.ENGINE) { console.error("ssh: no such host"); process.exit(255); }
const socket = require("net").connect(process.env.ENGINE);
process.stdin.pipe(socket);
socket.pipe(process.stdout);
`;

test("through ssh a client speaks with the one that ssh starts", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "engine.sock");
  const seen = join(dir.path, "seen");
  await using server = createServer((request, response) => {
    response.setHeader("Api-Version", "1.51");
    request.pipe(response);
  });
  server.listen(path);
  await once(server, "listening");
  writeFileSync(join(dir.path, "ssh"), fakeSsh);
  chmodSync(join(dir.path, "ssh"), 0o755);
  const environment = { PATH: dir.path, SEEN: seen, ENGINE: path };
  const client = new EngineClient({
    endpoint: parseEndpoint("ssh://me@there:22/run/x.sock", { environment }),
  });
  await client.ping();
  const large = "x".repeat(1 << 20);
  const json = await client.json({ method: "POST", path: "/echo", json: { large } });
  assert.deepEqual(json, { large });
  client.close();
  const argv = JSON.parse(readFileSync(seen, "utf8")) as string[];
  assert.deepEqual(argv.slice(0, -1), [
    "-o",
    "ConnectTimeout=30",
    "-T",
    "-l",
    "me",
    "-p",
    "22",
    "--",
    "there",
  ]);
  assert.match(argv.at(-1) ?? "", /exec hawser --host unix:\/\/\/run\/x.sock system dial-stdio/);

  const lost = new EngineClient({
    endpoint: parseEndpoint("ssh://there", { environment: { ...environment, ENGINE: undefined } }),
  });
  await assert.rejects(lost.ping(), {
    kind: "unavailable",
    message: /ssh to there has ended with exit status 255; .*stderr=ssh: no such host$/,
  });
  const absent = new EngineClient({
    endpoint: parseEndpoint("ssh://there", { environment: { PATH: "/nonexistent" } }),
  });
  await assert.rejects(absent.ping(), { kind: "unavailable", message: /exit status 127.*not found/ });
});
