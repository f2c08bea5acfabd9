import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { closeSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { Fault, type FaultKind, runProgramOk, silentLogger } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { socketInNamespace } from "@hawser/linux";
import { BareNamespacePool, DefaultBridge, openHostInterfaceNames } from "./index.ts";
import { change, findLink, hostLinks } from "./netlink/host-network.ts";
import { createBridge, deleteLink } from "./netlink/link.ts";
import { type FlatPlace, openBridge, openFirewall } from "./testing/open-bridge.ts";
import { openOutside } from "./testing/outside.ts";
import { inOwnNetwork, openCleanNetwork } from "./testing/own-network.ts";
import { ask, bash, openTcp } from "./testing/places.ts";

const kind = (wanted: FaultKind) => (error: unknown) => Fault.is(error, wanted);

/** A UDP socket in a namespace that keeps what it receives. */
function openUdp(namespaceFd: number, port = 0) {
  const socket: Socket = createSocket("udp4");
  socket.bind({ fd: socketInNamespace({ namespaceFd, protocol: "udp", address: "0.0.0.0", port }) });
  const received: string[] = [];
  socket.on("message", (message, from) => received.push(`${from.address} ${String(message)}`));
  return { socket, received, [Symbol.dispose]: () => void socket.close() };
}

inOwnNetwork(import.meta.filename, () => {
  test("containers reach each other, the host reaches them, under their own addresses", async () => {
    await using _clean = await openCleanNetwork();
    await using opened = await openBridge();
    const { bridge } = opened;
    using first = await opened.acquire();
    using second = await opened.acquire();
    assert.notEqual(first.address, second.address);
    await using _server = await openTcp("0.0.0.0", 80, first.namespaceFd);
    assert.equal(await ask(first.address, 80, second.namespaceFd), second.address);
    const client = connect(80, first.address);
    const [greeting] = await once(client, "data");
    assert.equal(String(greeting).trim(), bridge.info.gateway);
    client.destroy();
    assert.match(
      readFileSync("/proc/net/arp", "utf8"),
      new RegExp(`${first.address}\\s.*${first.macAddress}`),
    );
    assert.equal(readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim(), "1");
  });

  test("what leaves the bridge has the host's address, and only answers come in", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using opened = await openBridge();
    using endpoint = await opened.acquire();
    await using _server = await openTcp("0.0.0.0", 80, outside.namespaceFd);
    assert.equal(await ask(outside.address, 80, endpoint.namespaceFd), outside.hostAddress);

    using inside = openUdp(endpoint.namespaceFd, 7);
    using stranger = openUdp(outside.namespaceFd);
    using peer = openUdp(outside.namespaceFd, 9);
    stranger.socket.send("stray", 7, endpoint.address);
    await eventually(() => droppedOrSent(stranger.socket));
    peer.socket.on("message", (_message, from) => peer.socket.send("answer", from.port, from.address));
    inside.socket.send("question", 9, outside.address);
    await eventually(() => inside.received.includes(`${outside.address} answer`));
    assert.deepEqual(inside.received, [`${outside.address} answer`]);
    assert.deepEqual(peer.received, [`${outside.hostAddress} question`]);
  });

  test("a namespace has eth0 with a MAC address of its address, lo, and no IPv6 but ::1", async () => {
    await using _clean = await openCleanNetwork();
    await using opened = await openBridge({ subnet: "10.77.0.1/24", mtu: 1400, poolSize: 1 });
    using endpoint = await opened.acquire();
    const { address, prefixLength, gateway, macAddress, interfaceName } = endpoint;
    // The stock of one may have the first address.
    const [, last = ""] = /^10\.77\.0\.([23])$/.exec(address) ?? [];
    assert.deepEqual(
      { prefixLength, gateway, macAddress, interfaceName },
      {
        prefixLength: 24,
        gateway: "10.77.0.1",
        macAddress: `02:42:0a:4d:00:0${last}`,
        interfaceName: "eth0",
      },
    );
    const show = (file: string) =>
      runProgramOk(["nsenter", `--net=/proc/${process.pid}/fd/${endpoint.namespaceFd}`, "cat", file]);
    assert.match((await show("/proc/net/if_inet6")).stdout, /^0{31}1 \S+ \S+ \S+ \S+ +lo\n$/);
    assert.doesNotMatch(
      readFileSync("/proc/net/if_inet6", "utf8"),
      new RegExp(`${endpoint.hostInterface}|hwtest0`),
    );
    assert.match((await show("/proc/net/route")).stdout, /^eth0\t00000000\t01004D0A\t/m);
    assert.equal((await show("/proc/sys/net/ipv6/conf/eth0/mtu")).stdout, "1400\n");
  });

  test("many at once get an address each, and leave nothing when they go", async () => {
    await using _clean = await openCleanNetwork();
    await using opened = await openBridge({ poolSize: 4 });
    const endpoints = await Promise.all(Array.from({ length: 40 }, () => opened.acquire()));
    assert.equal(new Set(endpoints.map(({ address }) => address)).size, 40);
    assert.equal(new Set(endpoints.map(({ hostInterface }) => hostInterface)).size, 40);
    for (const endpoint of endpoints) leave(opened.bridge, endpoint);
    for (const endpoint of endpoints) endpoint.dispose(); // again: harmless
  });

  test("bridges that are made at the same time choose different subnets", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    await using opened = new AsyncDisposableStack();
    const open = async (bridge: string) => {
      const nextHostInterface = openHostInterfaceNames(bridge);
      const options = { firewall: rules.firewall, nextHostInterface, reserved: [], log: silentLogger };
      const made = await DefaultBridge.open({ bridge, poolSize: 0, ...options });
      opened.defer(() => made.remove());
      return made.info.subnet;
    };
    assert.equal(new Set(await Promise.all(["hwtest1", "hwtest2", "hwtest3"].map(open))).size, 3);
  });

  test("an engine that is killed leaves bridge and rules; the next one finds them and keeps what runs", async () => {
    await using _clean = await openCleanNetwork();
    const script = `
      import { openBridge } from ${JSON.stringify(new URL("./testing/open-bridge.ts", import.meta.url).href)};
      const opened = await openBridge({ subnet: "10.77.0.1/24", poolSize: 3 });
      const endpoint = await opened.acquire();
      console.log(JSON.stringify({ address: endpoint.address, fd: endpoint.namespaceFd, hostInterface: endpoint.hostInterface }));
      setInterval(() => {}, 1e6);`;
    const engine = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(engine.stdout, "data");
    const running = JSON.parse(String(line)) as { address: string; fd: number; hostInterface: string };
    // The container: a process in the namespace, which outlives the engine.
    const container = spawn("nsenter", [`--net=/proc/${engine.pid}/fd/${running.fd}`, "sleep", "60"], {
      stdio: "ignore",
    });
    await eventually(() => readFileSync(`/proc/${container.pid}/comm`, "utf8").trim() === "sleep");
    const dead = once(engine, "exit");
    engine.kill("SIGKILL");
    await dead;
    await eventually(() => hostLinks().filter(({ kind: made }) => made === "veth").length === 1);

    const containerDead = once(container, "exit");
    {
      await using opened = await openBridge({ reserved: [running.address], poolSize: 2 });
      const { bridge } = opened;
      assert.equal(bridge.info.subnet, "10.77.0.0/24");
      using endpoint = await opened.acquire();
      assert.notEqual(endpoint.address, running.address);
      assert.notEqual(endpoint.hostInterface, running.hostInterface);
      const program = ["nsenter", `--net=/proc/${container.pid}/ns/net`, ...bash] as const;
      await using _server = await openTcp("0.0.0.0", 80, endpoint.namespaceFd);
      const { stdout } = await runProgramOk([
        ...program,
        `exec 3<>/dev/tcp/${endpoint.address}/80 && cat <&3`,
      ]);
      assert.equal(stdout.trim(), running.address);
      container.kill("SIGKILL");
      await containerDead;
      bridge.network.release({ ipv4: { address: running.address, prefixLength: 24, gateway: "" } });
    }
  });

  test("a stopping engine leaves bridge and rules, and nothing of its stock", async () => {
    await using _clean = await openCleanNetwork();
    const opened = await openBridge();
    const { bridge } = opened;
    (await opened.acquire()).dispose();
    await bridge[Symbol.asyncDispose]();
    await assert.rejects(opened.acquire(), kind("unavailable"));
    await eventually(() => !hostLinks().some(({ kind: made }) => made === "veth"));
    assert.equal(findLink("hwtest0")?.kind, "bridge");
    const { stdout } = await runProgramOk(["/usr/sbin/nft", "list", "tables"]);
    assert.match(stdout, /table inet hwtest/);
    await opened[Symbol.asyncDispose]();
  });

  test("two engines side by side do not see each other", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using one = await openBridge();
    await using _server = await openTcp("0.0.0.0", 80, outside.namespaceFd);
    {
      await using two = await openBridge({ bridge: "hwtest1", table: "hwtest1" });
      assert.notEqual(one.bridge.info.subnet, two.bridge.info.subnet);
      using endpoint = await two.acquire();
      assert.equal(await ask(outside.address, 80, endpoint.namespaceFd), outside.hostAddress);
    }
    using endpoint = await one.acquire();
    assert.equal(await ask(outside.address, 80, endpoint.namespaceFd), outside.hostAddress);
  });

  test("another's interface or subnet is not taken", async () => {
    await using _clean = await openCleanNetwork();
    using _outside = await openOutside();
    await assert.rejects(openBridge({ bridge: "uplink" }), kind("conflict"));
    await assert.rejects(openBridge({ subnet: "198.51.100.9/24" }), kind("conflict"));
    assert.equal(findLink("hwtest0"), undefined);
    await assert.rejects(openBridge({ bridge: 'x"; drop' }), kind("invalid-argument"));
    await assert.rejects(openBridge({ table: "a b" }), kind("invalid-argument"));
    await change("make a bridge", [createBridge({ name: "hwtest0" })]);
    await using _adopted = await openBridge();
  });

  test("a bridge that somebody removed is an error of the next start, which leaves nothing", async () => {
    await using _clean = await openCleanNetwork();
    await using opened = await openBridge({ poolSize: 0 });
    await change("remove the bridge", [deleteLink("hwtest0")]);
    await assert.rejects(opened.acquire(), kind("internal"));
  });

  test("bare namespaces are distinct and go with their descriptors", async () => {
    await using _clean = await openCleanNetwork();
    await using bare = new BareNamespacePool({ poolSize: 2 });
    const [first, second] = [await bare.acquire(), await bare.acquire()];
    using one = openUdp(first, 7);
    using two = openUdp(second, 7);
    using asking = openUdp(first);
    asking.socket.send("hello", 7, "127.0.0.1");
    await eventually(() => one.received.length === 1);
    assert.deepEqual(two.received, []);
    closeSync(first);
    closeSync(second);
  });
});

/** The datagram has left the socket; on veth pairs it is delivered or dropped by then. */
function droppedOrSent(socket: Socket): boolean {
  return socket.getSendQueueSize() === 0 && socket.getSendQueueCount() === 0;
}

function leave({ network }: DefaultBridge, place: FlatPlace): void {
  place.dispose();
  network.release(place.lease);
}
