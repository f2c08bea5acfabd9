import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { closeSync, fstatSync, readdirSync, readlinkSync } from "node:fs";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import {
  createNetworkNamespace,
  netlink,
  netlinkAsync,
  openNamespaceOfProcess,
  openNetworkNamespace,
  socketInNamespace,
} from "./index.ts";

/** RTM_GETLINK of all links. */
const listLinks = Buffer.alloc(32);
listLinks.writeUInt32LE(32, 0);
listLinks.writeUInt16LE(18, 4);
listLinks.writeUInt16LE(0x301, 6);

/** Index → whether it is up. */
function linksIn(reply: Uint8Array): ReadonlyMap<number, boolean> {
  const bytes = Buffer.from(reply);
  const links = new Map<number, boolean>();
  for (let at = 0; at < bytes.length; at += (bytes.readUInt32LE(at) + 3) & ~3) {
    if (bytes.readUInt16LE(at + 4) === 16)
      links.set(bytes.readInt32LE(at + 20), (bytes.readUInt32LE(at + 24) & 1) === 1);
  }
  return links;
}

/** The network namespaces of all threads of this process. */
function namespacesOfThreads(): ReadonlySet<string> {
  return new Set(
    readdirSync("/proc/self/task").map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`)),
  );
}

/**
 * The open network namespaces and sockets of this process; not its own namespace, which resident native threads hold as
 * their way home.
 */
function namespacesAndSockets(): readonly string[] {
  const own = readlinkSync("/proc/self/ns/net");
  const targets = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ""; // that of the listing itself
    }
  });
  return targets.filter((target) => /^(net|socket):/.test(target) && target !== own).toSorted();
}

test("a new namespace has lo alone, up, and no thread of Node's is in it", async () => {
  const namespaceFd = await openNetworkNamespace();
  try {
    assert.deepEqual([...linksIn(netlink(listLinks, { namespaceFd })).values()].slice(0, 1), [true]);
    assert.deepEqual(
      linksIn(await netlinkAsync(listLinks, { namespaceFd })),
      linksIn(netlink(listLinks, { namespaceFd })),
    );
    const own = openNamespaceOfProcess(process.pid);
    assert.notEqual(fstatSync(namespaceFd).ino, fstatSync(own).ino);
    closeSync(own);
    await eventually(() => namespacesOfThreads().size === 1);
  } finally {
    closeSync(namespaceFd);
  }
});

test("settings are those of the new namespace, and one that the kernel lacks is left out", async () => {
  const { fd, inside, outside } = await createNetworkNamespace({
    settings: { "net/ipv4/ip_default_ttl": "77", "net/ipv4/no_such_setting": "1" },
    inside: listLinks,
    outside: listLinks,
  });
  try {
    assert.deepEqual(linksIn(inside), linksIn(netlink(listLinks, { namespaceFd: fd })));
    assert.deepEqual(linksIn(outside), linksIn(netlink(listLinks)));
  } finally {
    closeSync(fd);
  }
  await assert.rejects(createNetworkNamespace({ settings: { "net/ipv4/ip_default_ttl": "many" } }), {
    code: "EINVAL",
    syscall: "write",
  });
});

test("a failed creation leaves no descriptor", async () => {
  const before = namespacesAndSockets();
  await assert.rejects(createNetworkNamespace({ inside: Buffer.from("nonsense") }), {
    syscall: "netlink",
    code: "EINVAL",
  });
  await assert.rejects(createNetworkNamespace({ outside: Buffer.from("nonsense") }), { code: "EINVAL" });
  assert.deepEqual(namespacesAndSockets(), before);
});

test("many at once are all made, each another", async () => {
  const fds = await Promise.all(Array.from({ length: 50 }, () => openNetworkNamespace()));
  try {
    assert.equal(new Set(fds.map((fd) => fstatSync(fd).ino)).size, 50);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
});

test("UDP and TCP sockets born in a namespace serve there", async () => {
  const namespaceFd = await openNetworkNamespace();
  const place = { namespaceFd, address: "127.0.0.11" };
  const answering = createSocket("udp4");
  const asking = createSocket("udp4");
  const server = createServer((socket) => socket.end("tcp"));
  try {
    answering.bind({ fd: socketInNamespace({ ...place, protocol: "udp", port: 53 }) });
    asking.bind({ fd: socketInNamespace({ ...place, protocol: "udp", port: 0 }) });
    answering.on("message", (message, from) =>
      answering.send(`${String(message)}!`, from.port, from.address),
    );
    asking.send("udp", 53, "127.0.0.11");
    const [answer] = await once(asking, "message");
    assert.equal(String(answer), "udp!");
    assert.throws(() => socketInNamespace({ ...place, protocol: "udp", port: 53 }), {
      code: "EADDRINUSE",
      syscall: "bind",
    });

    server.listen({ fd: socketInNamespace({ ...place, protocol: "tcp", port: 53 }) });
    await once(server, "listening");
    await assert.rejects(once(connect(53, "127.0.0.11"), "connect"), { code: "ECONNREFUSED" });
  } finally {
    answering.close();
    asking.close();
    server.close();
    closeSync(namespaceFd);
  }
  const fd = openNamespaceOfProcess("self");
  assert.throws(() => socketInNamespace({ namespaceFd: fd, protocol: "udp", address: "nowhere", port: 1 }), {
    code: "EINVAL",
  });
  assert.throws(() => socketInNamespace({ namespaceFd: fd, protocol: "udp", address: "::1", port: 65_536 }), {
    code: "EINVAL",
  });
  closeSync(fd);
});

test("the namespace of a process that is gone is not found", () => {
  assert.throws(
    () => openNamespaceOfProcess(2 ** 30),
    (error) => Fault.is(error, "not-found"),
  );
});
