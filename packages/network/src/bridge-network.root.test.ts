import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { test } from "node:test";
import { Fault, type FaultKind, runProgramOk } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { findLink } from "./netlink/host-network.ts";
import { openFirewall, openNetwork } from "./testing/open-bridge.ts";
import { openOutside } from "./testing/outside.ts";
import { inOwnNetwork, openCleanNetwork } from "./testing/own-network.ts";
import { ask, isClosed, openPlace, openTcp } from "./testing/places.ts";

const kind = (wanted: FaultKind) => (error: unknown) => Fault.is(error, wanted);

inOwnNetwork(import.meta.filename, () => {
  test("containers on one network reach each other by both families, those on two do not", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    await using one = await openNetwork(rules.firewall, {
      bridge: "hwt1",
      subnets: ["10.71.0.1/24", "fd00:1::1/64"],
    });
    await using two = await openNetwork(rules.firewall, {
      bridge: "hwt2",
      subnets: ["10.72.0.1/24", "fd00:2::1/64"],
    });
    using first = await openPlace(one.network);
    using second = await openPlace(one.network);
    using other = await openPlace(two.network);
    assert.deepEqual([first.ipv4, first.ipv6], ["10.71.0.2", "fd00:1::2"]);
    await using _server = await openTcp("::", 80, first.namespaceFd);
    assert.equal(await ask(first.ipv4, 80, second.namespaceFd), `::ffff:${second.ipv4}`);
    assert.equal(await ask(first.ipv6, 80, second.namespaceFd), second.ipv6);
    assert.ok(await isClosed(first.ipv4, 80, other.namespaceFd));
    assert.ok(await isClosed(first.ipv6, 80, other.namespaceFd));
    assert.equal(await ask(first.ipv4, 80), "::ffff:10.71.0.1");
  });

  test("an internal network has no way out, and nobody comes in", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, {
      bridge: "hwt1",
      subnets: ["10.71.0.1/24"],
      internal: true,
    });
    using place = await openPlace(opened.network);
    await using _inside = await openTcp("0.0.0.0", 80, place.namespaceFd);
    await using _server = await openTcp("0.0.0.0", 80, outside.namespaceFd);
    assert.ok(await isClosed(place.ipv4, 80, outside.namespaceFd));
    assert.ok(await isClosed(outside.address, 80, place.namespaceFd));
    const { stdout: routes } = await runProgramOk([
      "nsenter",
      `--net=/proc/${process.pid}/fd/${place.namespaceFd}`,
      "ip",
      "route",
    ]);
    assert.doesNotMatch(routes, /default/);
    // Whoever gives himself a route finds it closed.
    await runProgramOk([
      "nsenter",
      `--net=/proc/${process.pid}/fd/${place.namespaceFd}`,
      "ip",
      "route",
      "add",
      "default",
      "via",
      "10.71.0.1",
    ]);
    assert.ok(await isClosed(outside.address, 80, place.namespaceFd));
  });

  test("who goes out gets the host's address that was asked for, or none", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using rules = await openFirewall();
    await runProgramOk(["ip", "address", "add", "198.51.100.77/24", "dev", "uplink"]);
    await using _server = await openTcp("0.0.0.0", 80, outside.namespaceFd);
    const seen = async (options: { readonly source?: string; readonly masquerade?: boolean }) => {
      await using opened = await openNetwork(rules.firewall, {
        bridge: "hwt1",
        subnets: ["10.71.0.1/24"],
        ...options,
      });
      using place = await openPlace(opened.network);
      return await ask(outside.address, 80, place.namespaceFd);
    };
    assert.equal(await seen({}), outside.hostAddress);
    assert.equal(await seen({ source: "198.51.100.77" }), "198.51.100.77");
    assert.equal(await seen({ masquerade: false }), "10.71.0.2", "its own");
  });

  test("a bridge without the gateway's address leaves the gateway to somebody else", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    const options = { bridge: "hwt1", subnets: ["10.71.0.1/24"], hasHostAddress: false };
    await using opened = await openNetwork(rules.firewall, options);
    using router = await openPlace(opened.network);
    using place = await openPlace(opened.network);
    const inside = (fd: number, ...argv: string[]) =>
      runProgramOk(["nsenter", `--net=/proc/${process.pid}/fd/${fd}`, ...argv]);
    await inside(router.namespaceFd, "ip", "address", "add", "10.71.0.1/24", "dev", "eth0");
    await using _server = await openTcp("0.0.0.0", 80, router.namespaceFd);
    assert.equal(await ask("10.71.0.1", 80, place.namespaceFd), place.ipv4);
    assert.doesNotMatch((await runProgramOk(["ip", "-4", "-o", "address"])).stdout, /10\.71\.0\.1/);
    assert.match((await inside(place.namespaceFd, "ip", "route")).stdout, /^default via 10\.71\.0\.1 /m);
  });

  test("without communication among containers each reaches the host and the outside alone", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, {
      bridge: "hwt1",
      subnets: ["10.71.0.1/24"],
      interContainer: false,
    });
    using first = await openPlace(opened.network);
    using second = await openPlace(opened.network);
    await using _first = await openTcp("0.0.0.0", 80, first.namespaceFd);
    await using _outside = await openTcp("0.0.0.0", 80, outside.namespaceFd);
    assert.ok(await isClosed(first.ipv4, 80, second.namespaceFd));
    assert.equal(await ask(first.ipv4, 80), "10.71.0.1");
    assert.equal(await ask(outside.address, 80, second.namespaceFd), outside.hostAddress);
  });

  test("published ports are reached from outside, loopback, other networks and the own one", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    // Where the kernel shows bridged packets to the rules too, one container sees the other's own address.
    await writeFile("/proc/sys/net/bridge/bridge-nf-call-iptables", "0\n").catch(() => {});
    await using rules = await openFirewall();
    await using one = await openNetwork(rules.firewall, { bridge: "hwt1", subnets: ["10.71.0.1/24"] });
    await using two = await openNetwork(rules.firewall, { bridge: "hwt2", subnets: ["10.72.0.1/24"] });
    using server = await openPlace(one.network);
    using neighbour = await openPlace(one.network);
    using stranger = await openPlace(two.network);
    await using _server = await openTcp("0.0.0.0", 80, server.namespaceFd);
    await rules.firewall.add([
      { set: "published4", key: "tcp . 8080", value: `${server.ipv4} . 80` },
      { set: "published4_at", key: `${outside.hostAddress} . tcp . 8081`, value: `${server.ipv4} . 80` },
    ]);
    const { hostAddress } = outside;
    assert.equal(
      await ask(hostAddress, 8080, outside.namespaceFd),
      outside.address,
      "the client's own address",
    );
    assert.equal(await ask(hostAddress, 8081, outside.namespaceFd), outside.address);
    assert.equal(await ask("127.0.0.1", 8080), "10.71.0.1");
    assert.ok(await isClosed("127.0.0.1", 8081), "published at another address");
    assert.equal(await ask(hostAddress, 8080), hostAddress, "from the host itself");
    assert.equal(await ask(hostAddress, 8080, stranger.namespaceFd), stranger.ipv4);
    assert.equal(await ask(hostAddress, 8080, neighbour.namespaceFd), "10.71.0.1");
    assert.equal(await ask(hostAddress, 8080, server.namespaceFd), "10.71.0.1", "the container itself");
    assert.ok(await isClosed(server.ipv4, 80, outside.namespaceFd), "what is not published");
    await rules.firewall.delete([{ set: "published4", key: "tcp . 8080" }]);
    assert.ok(await isClosed(hostAddress, 8080, outside.namespaceFd));
    assert.equal(await ask(hostAddress, 8081, outside.namespaceFd), outside.address);
  });

  test("what passes another's bridge keeps its address, though it be one of a network's own", async () => {
    await using _clean = await openCleanNetwork();
    // The kernel shows the host's rules what passes a bridge, too.
    await writeFile("/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n").catch(() => {});
    await using rules = await openFirewall();
    await using others = await openFirewall("hwother");
    const subnets = ["10.71.0.1/24"];
    await using _own = await openNetwork(rules.firewall, { bridge: "hwt1", subnets });
    const isolated = { bridge: "hwt2", subnets, internal: true, hasHostAddress: false };
    await using opened = await openNetwork(others.firewall, isolated);
    using first = await openPlace(opened.network);
    using second = await openPlace(opened.network);
    await using _server = await openTcp("0.0.0.0", 80, first.namespaceFd);
    assert.equal(await ask(first.ipv4, 80, second.namespaceFd), second.ipv4);
  });

  test("containers cannot reach what listens on the host's loopback", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, { bridge: "hwt1", subnets: ["10.71.0.1/24"] });
    using place = await openPlace(opened.network);
    const received: Buffer[] = [];
    await using server = createServer((socket) => socket.on("data", (data) => received.push(data)));
    server.listen(80, "127.0.0.1");
    await once(server, "listening");
    const inside = ["nsenter", `--net=/proc/${process.pid}/fd/${place.namespaceFd}`] as const;
    const script =
      "echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet; ip addr del 127.0.0.1/8 dev lo; " +
      "ip route add 127.0.0.1 via 10.71.0.1; timeout 1 bash -c 'echo stolen >/dev/tcp/127.0.0.1/80'; true";
    await runProgramOk([...inside, "sh", "-c", script]);
    assert.deepEqual(received, []);
  });

  test("rules that somebody flushes come back, and so does a bridge", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, { bridge: "hwt1", subnets: ["10.71.0.1/24"] });
    using server = await openPlace(opened.network);
    await using _server = await openTcp("0.0.0.0", 80, server.namespaceFd);
    await rules.firewall.add([{ set: "published4", key: "tcp . 8080", value: `${server.ipv4} . 80` }]);
    for (const vandalism of ["flush ruleset", "flush table inet hwtest", "delete table inet hwtest"]) {
      await runProgramOk(["/usr/sbin/nft", ...vandalism.split(" ")]);
      await eventually(
        async () => (await ask(outside.hostAddress, 8080, outside.namespaceFd)) === outside.address,
        {
          deadlineMs: 10_000,
          what: vandalism,
        },
      );
    }
    await runProgramOk(["ip", "link", "delete", "hwt1"]);
    await opened.network.restore([server.hostInterface, "hwgone1"]);
    assert.equal(findLink("hwt1")?.kind, "bridge");
    assert.equal(await ask(outside.hostAddress, 8080, outside.namespaceFd), outside.address);
  });

  test("a network that a user's own rules close stays closed", async () => {
    await using _clean = await openCleanNetwork();
    using outside = await openOutside();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, { bridge: "hwt1", subnets: ["10.71.0.1/24"] });
    using server = await openPlace(opened.network);
    await using _server = await openTcp("0.0.0.0", 80, server.namespaceFd);
    await rules.firewall.add([{ set: "published4", key: "tcp . 8080", value: `${server.ipv4} . 80` }]);
    const policy =
      "table inet userrules { chain forward { type filter hook forward priority 0; policy drop; }; }";
    await runProgramOk(["/usr/sbin/nft", "-f", "-"], { input: policy });
    assert.ok(await isClosed(outside.hostAddress, 8080, outside.namespaceFd));
    await runProgramOk(["/usr/sbin/nft", "delete", "table", "inet", "userrules"]);
    assert.equal(await ask(outside.hostAddress, 8080, outside.namespaceFd), outside.address);
  });

  test("an address that is wanted is given once", async () => {
    await using _clean = await openCleanNetwork();
    await using rules = await openFirewall();
    await using opened = await openNetwork(rules.firewall, {
      bridge: "hwt1",
      subnets: ["10.71.0.1/24", "fd00:1::1/64"],
      range: "10.71.0.128/25",
      reserved: ["10.71.0.9"],
    });
    const { network } = opened;
    const wanted = network.lease({ ipv4: "10.71.0.7", ipv6: "fd00:1::7", macAddress: "02:00:00:00:00:07" });
    assert.deepEqual(
      [wanted.ipv4?.address, wanted.ipv6?.address, wanted.macAddress],
      ["10.71.0.7", "fd00:1::7", "02:00:00:00:00:07"],
    );
    for (const ipv4 of ["10.71.0.7", "10.71.0.9", "10.71.0.1"])
      assert.throws(() => network.lease({ ipv4 }), kind("conflict"), ipv4);
    assert.throws(() => network.lease({ ipv4: "10.72.0.1" }), kind("invalid-argument"));
    assert.throws(() => network.lease({ ipv4: "10.71.0.20", ipv6: "fd00:1::7" }), kind("conflict"));
    assert.equal(
      network.lease({ ipv4: "10.71.0.20" }).ipv4?.address,
      "10.71.0.20",
      "nothing was taken before",
    );
    assert.equal(network.lease().ipv4?.address, "10.71.0.128");
    network.release(wanted);
    assert.equal(network.lease({ ipv4: "10.71.0.7" }).ipv4?.address, "10.71.0.7");
  });
});
