import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { createServer, type Socket as TcpSocket } from "node:net";
import { test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { runProgram } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { openNamespaceOfProcess, socketInNamespace } from "@hawser/linux";
import { decode, encode, type Packet, RECURSION_DESIRED } from "dns-packet";
import { NamedNamespacePool } from "../named-namespace-pool.ts";
import { openFirewall, openNetwork } from "../testing/open-bridge.ts";
import { openOutside } from "../testing/outside.ts";
import { inOwnNetwork, openCleanNetwork } from "../testing/own-network.ts";
import { bash } from "../testing/places.ts";
import { NameServer, type NameService } from "./name-server.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };

function serviceOf(options: Partial<NameService> = {}): NameService {
  let id = 1;
  return {
    zone: {
      lookup: (name) => (name === "web" ? ["10.71.0.9"] : undefined),
      reverse: () => undefined,
    },
    servers: [],
    forwards: true,
    randomId: () => (id = (id * 75 + 74) % 65_537) & 0xffff,
    ...options,
  };
}

async function openNamed(service: NameService) {
  await using pool = new NamedNamespacePool({ poolSize: 0, log });
  const { fd, nameServer } = await pool.acquire();
  nameServer.serve(service, { namespaceFd: fd });
  return {
    fd,
    nameServer,
    [Symbol.dispose]() {
      nameServer[Symbol.dispose]();
      closeSync(fd);
    },
  };
}

/** What the name server says to a client in the namespace, by UDP. */
async function askUdp(namespaceFd: number, name: string): Promise<Packet & { readonly rcode?: string }> {
  const socket = createSocket("udp4");
  socket.bind({ fd: socketInNamespace({ namespaceFd, protocol: "udp", address: "0.0.0.0", port: 0 }) });
  try {
    const query = encode({
      type: "query",
      id: 99,
      flags: RECURSION_DESIRED,
      questions: [{ name, type: "A" }],
    });
    socket.send(query, 53, "127.0.0.11");
    const [message, from] = await once(socket, "message", { signal: AbortSignal.timeout(8000) });
    assert.deepEqual(
      [from.address, from.port],
      ["127.0.0.11", 53],
      "the answer comes from where it was asked",
    );
    return decode(message as Buffer);
  } finally {
    socket.close();
  }
}

const datasOf = ({ answers = [] }: Packet) => answers.map((answer) => "data" in answer && answer.data);

/** A server of the world outside, which answers every question with one address, or not at all. */
async function openUpstream(namespaceFd: number, answer: string | undefined) {
  const socket = createSocket("udp4");
  const clients: string[] = [];
  const respond = (query: Buffer): Buffer => {
    const { id = 0, questions = [] } = decode(query);
    const name = questions[0]?.name ?? "";
    return encode({
      type: "response",
      id,
      questions,
      answers: answer === undefined ? [] : [{ name, type: "A", ttl: 5, data: answer }],
    });
  };
  socket.on("message", (query, from) => {
    clients.push(from.address);
    if (answer !== undefined) socket.send(respond(query), from.port, from.address);
  });
  socket.bind({ fd: socketInNamespace({ namespaceFd, protocol: "udp", address: "0.0.0.0", port: 53 }) });
  const tcp = createServer((stream: TcpSocket) => {
    stream.once("data", (data: Buffer) => {
      const response = respond(data.subarray(2));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(response.length);
      stream.end(Buffer.concat([length, response]));
    });
  });
  tcp.listen({ fd: socketInNamespace({ namespaceFd, protocol: "tcp", address: "0.0.0.0", port: 53 }) });
  await once(tcp, "listening");
  return {
    clients,
    [Symbol.dispose]() {
      socket.close();
      tcp.close();
    },
  };
}

inOwnNetwork(import.meta.filename, () => {
  test("names are served at 127.0.0.11 port 53, by UDP and TCP, beside a server of the container's own", async () => {
    await using _clean = await openCleanNetwork();
    using named = await openNamed(serviceOf());
    assert.deepEqual(datasOf(await askUdp(named.fd, "web")), ["10.71.0.9"]);
    // The container has a server of its own on port 53 of all addresses.
    const own = socketInNamespace({ namespaceFd: named.fd, protocol: "udp", address: "0.0.0.0", port: 53 });
    assert.deepEqual(datasOf(await askUdp(named.fd, "web")), ["10.71.0.9"]);
    closeSync(own);
    const query = encode({ type: "query", id: 5, questions: [{ name: "web", type: "A" }] });
    const hex = Buffer.concat([Buffer.from([0, query.length]), query]).toString("hex");
    const script = `exec 3<>/dev/tcp/127.0.0.11/53; printf '${hex.replace(/../g, "\\x$&")}' >&3; head -c 2 <&3 | wc -c`;
    const argv = ["nsenter", `--net=/proc/${process.pid}/fd/${named.fd}`, "timeout", "5", ...bash, script];
    const { stdout } = await runProgram(["env", ...argv]);
    assert.equal(stdout.trim(), "2");
  });

  test("other names are asked for in the container's view, of the next server when one is silent", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, { bridge: "hwt1", subnets: ["10.71.0.1/24"] });
    const dead = "10.71.0.77";
    using named = await openNamed(serviceOf({ servers: [dead, outside.address] }));
    const lease = opened.network.lease();
    await opened.network.plug(lease, {
      namespaceFd: named.fd,
      name: "eth0",
      gateways: { ipv4: true, ipv6: true },
    });
    using upstream = await openUpstream(outside.namespaceFd, "192.0.2.1");
    const response = await askUdp(named.fd, "example.org");
    assert.deepEqual([response.id, datasOf(response)], [99, ["192.0.2.1"]]);
    assert.deepEqual(
      upstream.clients,
      [outside.hostAddress],
      "from the container, by the host's translation",
    );
  });

  test("a server that is silent is a failure, not silence; an internal network asks nobody", async () => {
    await using _clean = await openCleanNetwork();
    using lonely = await openNamed(serviceOf({ servers: ["10.99.99.99"] }));
    assert.equal((await askUdp(lonely.fd, "example.org")).rcode, "SERVFAIL");
    using internal = await openNamed(serviceOf({ servers: ["10.99.99.99"], forwards: false }));
    const begun = performance.now();
    assert.equal((await askUdp(internal.fd, "example.org")).rcode, "SERVFAIL");
    assert.ok(performance.now() - begun < 1900, "a silent server is waited for two seconds");
  });

  test("a server that goes while somebody waits for an answer goes in silence", async () => {
    await using _clean = await openCleanNetwork();
    const named = await openNamed(serviceOf({ servers: ["127.0.0.1"] }));
    const here = openNamespaceOfProcess("self");
    using silent = await openUpstream(here, undefined);
    closeSync(here);
    const socket = createSocket("udp4");
    socket.bind({
      fd: socketInNamespace({ namespaceFd: named.fd, protocol: "udp", address: "0.0.0.0", port: 0 }),
    });
    const query = encode({ type: "query", id: 7, questions: [{ name: "example.org", type: "A" }] });
    socket.send(query, 53, "127.0.0.11");
    await eventually(() => silent.clients.length === 1, { what: "it is asked for" });
    named[Symbol.dispose]();
    await immediate(); // what is rejected with nobody to hear of it fails this test
    socket.close();
  });

  test("the next engine's sockets are beside the last one's, at the same place, and have all when those go", async () => {
    await using _clean = await openCleanNetwork();
    const of = (address: string) =>
      serviceOf({ zone: { lookup: () => [address], reverse: () => undefined } });
    using named = await openNamed(of("10.71.0.1"));
    using next = await NameServer.open(named.fd);
    next.serve(of("10.71.0.2"), { namespaceFd: named.fd });
    const heard = new Set<unknown>();
    await eventually(async () => heard.add(datasOf(await askUdp(named.fd, "web"))[0]).size === 2, {
      what: "both are asked",
    });
    named.nameServer[Symbol.dispose]();
    for (let times = 0; times < 20; times++)
      assert.deepEqual(datasOf(await askUdp(named.fd, "web")), ["10.71.0.2"]);
  });

  test("the next engine takes the sockets up again", async () => {
    await using _clean = await openCleanNetwork();
    using named = await openNamed(serviceOf());
    named.nameServer[Symbol.dispose]();
    const again = await NameServer.open(named.fd);
    again.serve(serviceOf(), { namespaceFd: named.fd });
    assert.deepEqual(datasOf(await askUdp(named.fd, "web")), ["10.71.0.9"]);
    again[Symbol.dispose]();
  });
});
