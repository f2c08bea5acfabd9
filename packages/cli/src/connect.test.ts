import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { EngineClient, parseEndpoint } from "@hawser/api/client";
import { Fault } from "@hawser/base";
import { eventually, makeCertFolder, openTempDir } from "@hawser/base/testing";
import type { TlsFlags } from "./client-tls.ts";
import { readConfigFile } from "./config-file.ts";
import { connectEngine } from "./connect.ts";
import { type Context, defaultSocket, resolveContext } from "./context.ts";
import { startEngine } from "./start-engine.ts";

function context(host: string, chosen = true): Context {
  return { name: "default", endpoint: parseEndpoint(host), chosen };
}

async function refusal(target: Context): Promise<string> {
  try {
    await connectEngine({ context: target, headers: {}, environment: {}, warn: () => {} });
  } catch (error) {
    assert.ok(Fault.is(error), String(error));
    return error.message;
  }
  assert.fail("somebody answered");
}

test("connectEngine() names the cause, and the command that helps", async () => {
  await using dir = await openTempDir();
  const none = `unix://${dir.path}/none.sock`;
  assert.match(
    await refusal(context(none)),
    /^Cannot connect to the Hawser engine at .*none\.sock\. Is the Hawser engine running\? There is no such socket: check the address; unset DOCKER_HOST/,
  );
  assert.match(
    await refusal(context(none, false)),
    /There is no such socket: start it with: (sudo )?hawserd$/,
  );

  const stale = join(dir.path, "stale.sock");
  writeFileSync(join(dir.path, "plain"), "");
  assert.match(await refusal(context(`unix://${dir.path}/plain`)), /nobody listens|not a socket/);

  const script = `require("net").createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, "SIGKILL"))`;
  const { spawn } = await import("node:child_process");
  await once(spawn(process.execPath, ["-e", script]), "exit");
  assert.match(
    await refusal(context(`unix://${stale}`, false)),
    /The socket is a stale one, nobody listens: start it with: (sudo )?hawserd$/,
  );

  const closed = createServer();
  closed.listen(0, "127.0.0.1");
  await once(closed, "listening");
  const address = closed.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  closed.close();
  await once(closed, "close");
  assert.match(
    await refusal(context(`tcp://127.0.0.1:${port}`)),
    /Nobody listens there: check host and port/,
  );
});

const engineScript = (socket: string, count: string) => `
  require("fs").appendFileSync(${JSON.stringify(count)}, "x");
  setTimeout(() => require("http").createServer((request, response) => {
    response.setHeader("Api-Version", "1.51");
    response.end();
    if (request.url === "/stop") process.exit();
  }).listen(${JSON.stringify(socket)}), 100);`;

test("startEngine() starts one engine for ten clients, and tells of it once", async () => {
  await using dir = await openTempDir();
  const socket = join(dir.path, "run/hawser.sock");
  const count = join(dir.path, "count");
  const told: string[] = [];
  const endpoint = parseEndpoint(`unix://${socket}`);
  const command = [process.execPath, "-e", engineScript(socket, count)] as const;
  const clients = Array.from({ length: 10 }, () => new EngineClient({ endpoint }));
  await Promise.all(
    clients.map((client) => startEngine({ command, socket, client, warn: (line) => told.push(line) })),
  );
  assert.equal(readFileSync(count, "utf8"), "x");
  assert.deepEqual(told, ["Starting the Hawser engine ..."]);
  assert.equal(existsSync(join(dir.path, "run/start.lock")), false);
  for (const client of clients) client.close();
  const last = new EngineClient({ endpoint });
  await last.command({ method: "GET", path: "/stop" }).catch(() => {});
  last.close();
});

test("startEngine() takes the lock of a client that died, and tells why an engine does not come up", async () => {
  await using dir = await openTempDir();
  const socket = join(dir.path, "hawser.sock");
  writeFileSync(join(dir.path, "start.lock"), "999999999");
  const client = new EngineClient({ endpoint: parseEndpoint(`unix://${socket}`) });
  const script = 'console.error("hawserd: Cannot find crun"); process.exit(1)';
  await assert.rejects(
    startEngine({ command: [process.execPath, "-e", script], socket, client, warn: () => {} }),
    (error) =>
      Fault.is(error, "unavailable") &&
      error.message ===
        `Cannot start the Hawser engine: hawserd: Cannot find crun; its log is ${dir.path}/engine.log`,
  );
  await eventually(() => !existsSync(join(dir.path, "start.lock")));
});

test("resolveContext() follows Docker's order", async () => {
  await using dir = await openTempDir();
  const of = (given: {
    hosts?: readonly string[];
    context?: string;
    tls?: Partial<TlsFlags>;
    environment?: Record<string, string>;
    current?: string;
  }) => {
    const resolved = resolveContext({
      hosts: given.hosts ?? [],
      context: given.context ?? "",
      tls: { tls: false, tlsverify: undefined, tlscacert: "", tlscert: "", tlskey: "", ...given.tls },
      environment: given.environment ?? {},
      configDir: dir.path,
      config: () => ({
        httpHeaders: {},
        ...(given.current !== undefined && { currentContext: given.current }),
      }),
    });
    return [resolved.endpoint.text, resolved.chosen];
  };
  assert.deepEqual(of({}), [`unix://${defaultSocket}`, false]);
  assert.deepEqual(of({ current: "default" }), [`unix://${defaultSocket}`, false]);
  assert.deepEqual(of({ hosts: ["tcp://a:1"], environment: { DOCKER_HOST: "tcp://b:1" } }), [
    "tcp://a:1",
    true,
  ]);
  assert.deepEqual(of({ environment: { DOCKER_HOST: "tcp://b:1", HAWSER_HOST: "tcp://c:1" } }), [
    "tcp://b:1",
    true,
  ]);
  assert.deepEqual(of({ environment: { HAWSER_HOST: "/run/x.sock" } }), ["unix:///run/x.sock", true]);

  // the store's folder is the name's SHA-256
  const folder = join(
    dir.path,
    "contexts/meta/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "meta.json"), '{"Name":"test","Endpoints":{"docker":{"Host":"tcp://d:1"}}}');
  assert.deepEqual(of({ context: "test", environment: { DOCKER_HOST: "tcp://b:1" } }), ["tcp://d:1", true]);
  assert.deepEqual(of({ current: "test" }), ["tcp://d:1", true]);
  assert.deepEqual(of({ environment: { DOCKER_CONTEXT: "test" } }), ["tcp://d:1", true]);

  assert.throws(() => of({ hosts: ["tcp://a:1", "tcp://b:1"] }), /Specify only one -H/);
  assert.throws(() => of({ hosts: ["tcp://a:1"], context: "x" }), /cannot specify both --host and --context/);
  assert.throws(
    () => of({ context: "nosuch" }),
    /context "nosuch": context not found: open .*: no such file or directory/,
  );
  assert.throws(
    () => of({ hosts: ["foo://x"] }),
    /unable to resolve docker endpoint: invalid bind address format: foo:\/\/x/,
  );
  assert.deepEqual(of({ tls: { tls: true } }), [`unix://${defaultSocket}`, false]);
  assert.throws(() => of({ hosts: ["ssh://-oProxyCommand=x"] }), /invalid bind address format/);
});

test("resolveContext() reads the certificates of Docker's places", async () => {
  await using dir = await openTempDir();
  const folder = await makeCertFolder(join(dir.path, "certs"));
  const flags = { tls: false, tlsverify: undefined, tlscacert: "", tlscert: "", tlskey: "" };
  const tlsOf = (change: Partial<TlsFlags>, environment: Record<string, string> = {}) => {
    const { endpoint } = resolveContext({
      hosts: ["tcp://a"],
      context: "",
      tls: { ...flags, ...change },
      environment,
      configDir: folder,
      config: () => ({ httpHeaders: {} }),
    });
    assert.ok(endpoint.kind === "tcp");
    return { port: endpoint.port, ...endpoint.tls };
  };
  assert.deepEqual(tlsOf({}), { port: 2375 });
  const [authority, certificate, key] = ["ca.pem", "cert.pem", "key.pem"].map((name) =>
    readFileSync(join(folder, name)),
  );
  assert.deepEqual(tlsOf({ tlsverify: true }), { port: 2376, insecure: false, authority, certificate, key });
  assert.deepEqual(tlsOf({ tls: true }), { port: 2376, insecure: true, certificate, key });
  const elsewhere = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/nonexistent" };
  assert.deepEqual(tlsOf({}, elsewhere), { port: 2376, insecure: false });
  assert.deepEqual(tlsOf({ tlsverify: false }, elsewhere), { port: 2375 });
  // never in the clear for who names a certificate
  assert.equal(tlsOf({ tlscacert: join(folder, "ca.pem") }).insecure, false);
  assert.throws(() => tlsOf({ tlskey: "/nonexistent/key.pem" }), /could not read \/nonexistent\/key.pem/);
});

test("readConfigFile() heeds what it knows and survives the rest", async () => {
  await using dir = await openTempDir();
  const told: string[] = [];
  const read = () => readConfigFile(dir.path, (line) => told.push(line));
  assert.deepEqual(read(), { httpHeaders: {} });
  const path = join(dir.path, "config.json");
  writeFileSync(
    path,
    '{"psFormat":"{{.ID}}","detachKeys":"ctrl-a","HttpHeaders":{"A":"b","C":1},"auths":{},"imagesFormat":7,"cliPluginsExtraDirs":["/x",1]}',
  );
  assert.deepEqual(read(), {
    psFormat: "{{.ID}}",
    detachKeys: "ctrl-a",
    httpHeaders: { A: "b" },
    cliPluginsExtraDirs: ["/x"],
  });
  for (const text of ["{", "[]", "null", '"x"']) {
    writeFileSync(path, text);
    assert.deepEqual(read(), { httpHeaders: {} });
  }
  assert.equal(told.length, 1);
  chmodSync(path, 0o600);
});
