import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { runProgramOk, silentLogger } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { openNetlinkFeed, socketInNamespace } from "@hawser/linux";
import { parseNews } from "./netlink/nftables-news.ts";
import { hasSctp } from "./port-reservation.ts";
import { PublishedPorts } from "./published-ports.ts";
import { openFirewall, openNetwork } from "./testing/open-bridge.ts";
import { openOutside } from "./testing/outside.ts";
import { inOwnNetwork, openCleanNetwork } from "./testing/own-network.ts";
import { ask, isClosed, openPlace, openTcp } from "./testing/places.ts";

/** A server that answers each datagram with its own name. */
async function openUdp(name: string, place: { readonly namespaceFd: number; readonly address: string }) {
  const { namespaceFd, address } = place;
  const server = createSocket(address.includes(":") ? "udp6" : "udp4");
  const listening = once(server, "listening");
  server.bind({ fd: socketInNamespace({ namespaceFd, protocol: "udp", address, port: 53 }) });
  await listening;
  server.on("message", (bytes, { port, address: to }) =>
    server.send(`${name} ${bytes.toString()}`, port, to),
  );
  return { [Symbol.dispose]: () => server.close() };
}

/** What is answered to datagrams that are sent until there is an answer; `undefined`: to none of `patienceMs`. */
async function exchange(
  client: Socket,
  to: { readonly address: string; readonly port: number },
  text: string,
  patienceMs = 10_000,
) {
  const heard: string[] = [];
  const listen = (bytes: Buffer) => heard.push(String(bytes));
  client.on("message", listen);
  try {
    await eventually(
      () => {
        client.send(text, to.port, to.address);
        return heard.some((answer) => answer.endsWith(text));
      },
      { deadlineMs: patienceMs },
    );
    return heard.find((answer) => answer.endsWith(text));
  } catch {
    return undefined;
  } finally {
    client.off("message", listen);
  }
}

async function openClient(type: "udp4" | "udp6", address: string) {
  const client = createSocket(type);
  client.on("error", () => {});
  client.bind({ address });
  await once(client, "listening");
  return { client, [Symbol.dispose]: () => client.close() };
}

const request = {
  protocol: "udp",
  containerPort: 53,
  hostIp: "",
  hostPorts: { first: 5300, last: 5300 },
} as const;

inOwnNetwork(import.meta.filename, () => {
  test("datagrams by IPv6 reach a container that has IPv4 alone, each sender its own answers", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, { bridge: "hwt1", subnets: ["10.71.0.1/24"] });
    using place = await openPlace(opened.network);
    using _server = await openUdp("inside", { namespaceFd: place.namespaceFd, address: "0.0.0.0" });
    await using ports = new PublishedPorts({ firewall: rules.firewall, log: silentLogger });
    await (await ports.publish("c", [request], { ipv4: place.ipv4 })).ready;
    using one = await openClient("udp6", "::1");
    using two = await openClient("udp6", "::1");
    const [first, second] = await Promise.all([
      exchange(one.client, { address: "::1", port: 5300 }, "one"),
      exchange(two.client, { address: "::1", port: 5300 }, "two"),
    ]);
    assert.deepEqual([first, second], ["inside one", "inside two"]);
    using three = await openClient("udp4", "127.0.0.1");
    assert.equal(await exchange(three.client, { address: "127.0.0.1", port: 5300 }, "0"), "inside 0");
    await ports.release("c");
    assert.equal(await exchange(one.client, { address: "::1", port: 5300 }, "three", 1000), undefined);
  });

  test("what is published at the host's loopback is for the host alone, whatever a neighbour sends", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, { bridge: "hwt1", subnets: ["10.71.0.1/24"] });
    using place = await openPlace(opened.network);
    await using _open = await openTcp("0.0.0.0", 80, place.namespaceFd);
    await using ports = new PublishedPorts({ firewall: rules.firewall, log: silentLogger });
    const wanted = {
      protocol: "tcp",
      containerPort: 80,
      hostIp: "127.0.0.1",
      hostPorts: { first: 8080, last: 8080 },
    } as const;
    await (await ports.publish("c", [wanted], { ipv4: place.ipv4 })).ready;
    assert.equal(await ask("127.0.0.1", 8080), "10.71.0.1");
    // A neighbour on the same wire who sends what is for 127.0.0.1 to the host's card.
    const enter = ["nsenter", `--net=/proc/${process.pid}/fd/${outside.namespaceFd}`] as const;
    const script =
      "for f in all eth0; do echo 1 >/proc/sys/net/ipv4/conf/$f/route_localnet; done; " +
      "ip rule add pref 1 to 127.0.0.1 lookup 77; ip rule del pref 0; ip rule add pref 2 lookup local; " +
      "ip route add 127.0.0.1 via 198.51.100.1 src 198.51.100.2 table 77";
    await runProgramOk([...enter, "sh", "-c", script]);
    assert.ok(await isClosed("127.0.0.1", 8080, outside.namespaceFd));
  });

  test("200 ports are one transaction of the rules, and one when they go", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    await using ports = new PublishedPorts({ firewall: rules.firewall, log: silentLogger });
    const heard: string[] = [];
    using _feed = openNetlinkFeed({
      protocol: 12, // NETLINK_NETFILTER
      group: 7, // NFNLGRP_NFTABLES
      onNews: (bytes) => {
        for (const { kind } of parseNews(Buffer.from(bytes), "hwtest"))
          if (kind !== "damage" || heard.at(-1) !== kind) heard.push(kind);
      },
    });
    const requests = Array.from({ length: 200 }, (_, index) => ({
      protocol: "tcp" as const,
      containerPort: index + 1,
      hostIp: "127.0.0.1",
      hostPorts: { first: 20_000 + index, last: 20_000 + index },
    }));
    const { ports: told, ready } = await ports.publish("c", requests, { ipv4: "10.71.0.2" });
    await ready;
    assert.equal(told.length, 200);
    const { stdout } = await runProgramOk(["nft", "list", "map", "inet", "hwtest", "published4_at"]);
    assert.equal(stdout.match(/127\.0\.0\.1 \. tcp/g)?.length, 200);
    await ports.release("c");
    // The end of the second tells that there was nothing between.
    await eventually(() => heard.includes("damage") && heard.at(-1) === "end", { what: "both are told" });
    assert.deepEqual(heard, ["end", "damage", "end"]);
  });

  test("SCTP is published where the kernel has it, and refused where it has not", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    await using ports = new PublishedPorts({ firewall: rules.firewall, log: silentLogger });
    const wanted = { protocol: "sctp", containerPort: 80, hostIp: "127.0.0.1" } as const;
    const published = ports.publish("c", [wanted], { ipv4: "10.71.0.2" });
    if (hasSctp()) assert.equal((await published).ports.length, 1);
    else
      await assert.rejects(published, {
        kind: "unavailable",
        message: /protocol not supported by this kernel/,
      });
  });

  test("a client that never stops sending reaches who has the port now", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, { bridge: "hwt1", subnets: ["10.71.0.1/24"] });
    using before = await openPlace(opened.network);
    using after = await openPlace(opened.network);
    using _before = await openUdp("before", { namespaceFd: before.namespaceFd, address: "0.0.0.0" });
    using _after = await openUdp("after", { namespaceFd: after.namespaceFd, address: "0.0.0.0" });
    await using ports = new PublishedPorts({ firewall: rules.firewall, log: silentLogger });
    using sender = await openClient("udp4", "10.71.0.1");
    const host = { address: "10.71.0.1", port: 5300 };
    assert.equal(await exchange(sender.client, host, "0", 1000), undefined, "nobody is there yet");
    await (await ports.publish("one", [request], { ipv4: before.ipv4 })).ready;
    assert.equal(await exchange(sender.client, host, "1"), "before 1");
    await ports.release("one");
    await (await ports.publish("two", [request], { ipv4: after.ipv4 })).ready;
    assert.equal(await exchange(sender.client, host, "2"), "after 2");
    await ports.move("two", { ipv4: before.ipv4 });
    assert.equal(await exchange(sender.client, host, "3"), "before 3");
    await ports.release("two");
    assert.equal(await exchange(sender.client, host, "4", 1000), undefined);
  });

  test("on a network that is routed to, ports of containers are open and none of the host's are taken", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using rules = await openFirewall();
    const options = { bridge: "hwt1", subnets: ["10.71.0.1/24"], mode: "routed" } as const;
    await using opened = await openNetwork(rules.firewall, options);
    using place = await openPlace(opened.network);
    await using _open = await openTcp("0.0.0.0", 80, place.namespaceFd);
    await using _closed = await openTcp("0.0.0.0", 81, place.namespaceFd);
    await using _outside = await openTcp("0.0.0.0", 80, outside.namespaceFd);
    await using ports = new PublishedPorts({ firewall: rules.firewall, log: silentLogger });
    const wanted = { protocol: "tcp", containerPort: 80, hostIp: "0.0.0.0" } as const;
    const published = await ports.publish("c", [wanted], { ipv4: place.ipv4, direct: [4] });
    await published.ready;
    assert.deepEqual(published.ports, [
      { protocol: "tcp", containerPort: 80, hostIp: "0.0.0.0", hostPort: 0 },
    ]);
    assert.equal(await ask(place.ipv4, 80, outside.namespaceFd), outside.address);
    assert.ok(await isClosed(place.ipv4, 81, outside.namespaceFd));
    assert.equal(await ask(outside.address, 80, place.namespaceFd), place.ipv4, "under its own address");
    await ports.release("c");
    assert.ok(await isClosed(place.ipv4, 80, outside.namespaceFd));
  });

  test("on a network without protection every port of a container is open", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using rules = await openFirewall();
    const options = { bridge: "hwt1", subnets: ["10.71.0.1/24"], mode: "nat-unprotected" } as const;
    await using opened = await openNetwork(rules.firewall, options);
    using place = await openPlace(opened.network);
    await using _open = await openTcp("0.0.0.0", 81, place.namespaceFd);
    await using _outside = await openTcp("0.0.0.0", 80, outside.namespaceFd);
    assert.equal(await ask(place.ipv4, 81, outside.namespaceFd), outside.address);
    assert.equal(await ask(outside.address, 80, place.namespaceFd), outside.hostAddress, "translated");
  });

  test("from trusted interfaces, published ports of containers are reached at the containers' own addresses", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using rules = await openFirewall();
    const subnets = ["10.71.0.1/24"] as const;
    const trustedInterfaces = ["uplink", "absent0"];
    await using trusting = await openNetwork(rules.firewall, { bridge: "hwt1", subnets, trustedInterfaces });
    await using other = await openNetwork(rules.firewall, { bridge: "hwt2", subnets: ["10.72.0.1/24"] });
    await using ports = new PublishedPorts({ firewall: rules.firewall, log: silentLogger });
    for (const [network, isTrusting] of [
      [trusting.network, true],
      [other.network, false],
    ] as const) {
      using place = await openPlace(network);
      await using _open = await openTcp("0.0.0.0", 80, place.namespaceFd);
      await using _closed = await openTcp("0.0.0.0", 81, place.namespaceFd);
      const wanted = { protocol: "tcp", containerPort: 80, hostIp: "127.0.0.1" } as const;
      const twice = { ...wanted, hostIp: "127.0.0.2" };
      const target = { ipv4: place.ipv4, isTrusting };
      await (await ports.publish("c", [wanted, twice], target)).ready;
      const reached = async (patienceSeconds: number) =>
        (await ask(place.ipv4, 80, outside.namespaceFd, patienceSeconds)) === outside.address;
      const patienceSeconds = isTrusting ? 5 : 1;
      assert.equal(await reached(patienceSeconds), isTrusting);
      assert.ok(await isClosed(place.ipv4, 81, outside.namespaceFd));
      const options = { add: [], target };
      await ports.change("c", { ...options, isRemoved: ({ hostIp }) => hostIp === "127.0.0.2" });
      assert.equal(await reached(patienceSeconds), isTrusting, "it is still published");
      await ports.change("c", { ...options, isRemoved: () => true });
      assert.equal(await reached(1), false);
      await ports.release("c");
    }
  });

  test("on an isolated network the host has no address", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    const options = { bridge: "hwt1", subnets: ["10.71.0.1/24"], mode: "isolated", internal: true } as const;
    await using opened = await openNetwork(rules.firewall, options);
    using one = await openPlace(opened.network);
    using two = await openPlace(opened.network);
    await using _one = await openTcp("0.0.0.0", 80, one.namespaceFd);
    const { stdout } = await runProgramOk(["ip", "-4", "-o", "address", "show", "dev", "hwt1"]);
    assert.equal(stdout, "");
    assert.equal(await ask(one.ipv4, 80, two.namespaceFd), two.ipv4);
    assert.ok(await isClosed(one.ipv4, 80));
  });

  test("an interface has the link-local addresses that were asked for", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, { bridge: "hwt1", subnets: ["10.71.0.1/24"] });
    using place = await openPlace(opened.network, {}, ["169.254.7.8", "fe80::7:8"]);
    const enter = ["nsenter", `--net=/proc/${process.pid}/fd/${place.namespaceFd}`] as const;
    const { stdout } = await runProgramOk([...enter, "ip", "-o", "address", "show", "dev", "eth0"]);
    assert.match(stdout, /10\.71\.0\.2\/24/);
    assert.match(stdout, /169\.254\.7\.8\/16/);
    assert.match(stdout, /fe80::7:8\/64/);
  });

  test("past other firewalls, when that is asked for, and only what is published", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await runProgramOk(["iptables", "-P", "FORWARD", "DROP"]);
    const foreign = `table inet strict {
      chain pass { type filter hook forward priority 10; policy drop; }
    }`;
    await runProgramOk(["nft", foreign]);
    const wanted = {
      protocol: "tcp",
      containerPort: 80,
      hostIp: "",
      hostPorts: { first: 8080, last: 8080 },
    } as const;
    try {
      for (const passesOthers of [false, true]) {
        await using rules = await openFirewall("hwtest", { passesOthers });
        await using opened = await openNetwork(rules.firewall, { bridge: "hwt1", subnets: ["10.71.0.1/24"] });
        using place = await openPlace(opened.network);
        await using _open = await openTcp("0.0.0.0", 80, place.namespaceFd);
        await using _closed = await openTcp("0.0.0.0", 81, place.namespaceFd);
        await using _outside = await openTcp("0.0.0.0", 80, outside.namespaceFd);
        await using ports = new PublishedPorts({ firewall: rules.firewall, log: silentLogger });
        await (await ports.publish("c", [wanted], { ipv4: place.ipv4 })).ready;
        const reached = (patienceSeconds?: number) =>
          ask(outside.hostAddress, 8080, outside.namespaceFd, patienceSeconds);
        if (!passesOthers) {
          assert.equal(await reached(1), undefined, "the administrator's rules stay in force");
          continue;
        }
        assert.equal(await reached(), outside.address);
        assert.equal(await ask(outside.address, 80, place.namespaceFd), outside.hostAddress);
        assert.ok(await isClosed(place.ipv4, 81, outside.namespaceFd));
        // What iptables makes of it is still what it understands; a reload of theirs is made good.
        const { stdout } = await runProgramOk(["iptables", "-S", "FORWARD"]);
        assert.match(stdout, /-A FORWARD -j hwtest_pass/);
        await runProgramOk(["iptables", "-F"]);
        await runProgramOk(["iptables", "-X"]);
        await eventually(async () => (await reached(1)) === outside.address, {
          what: "the way is open again",
        });
      }
      const { stdout } = await runProgramOk(["nft", "list", "ruleset"]);
      assert.doesNotMatch(stdout, /hwtest/);
    } finally {
      await runProgramOk(["nft", "delete", "table", "inet", "strict"]);
      await runProgramOk(["nft", "delete", "table", "ip", "filter"]);
    }
  });
});
