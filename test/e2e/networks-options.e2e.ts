import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { closeSync } from "node:fs";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { openNamespaceOfProcess, socketInNamespace } from "@hawser/linux";
import { runCommandOk } from "./kit-process.ts";
import { againstDockerd, hawserOnly, type Json, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const ok = (...args: readonly string[]) => target.ok(...args);
const bridgeOption = (name: string, value: string) =>
  ["-o", `com.docker.network.bridge.${name}=${value}`] as const;
const endpointOf = async (container: string, network: string) =>
  (await target.inspect(container))["NetworkSettings"]?.["Networks"]?.[network] as Json;
const addressOf = async (container: string, network: string) =>
  textOf((await endpointOf(container, network))["IPAddress"]);
const portsOf = async (name: string) => (await target.inspect(name))["NetworkSettings"]?.["Ports"] as Json;
const sleeper = (name: string, ...flags: string[]) =>
  ok("run", "-d", "--name", name, ...flags, "busybox", "sleep", "600");
const inside = (name: string, script: string) => ok("exec", name, "sh", "-c", script);
const canPing = async (from: string, to: string) =>
  (await target.docker(["exec", from, "ping", "-c1", "-W1", "-q", to])).exitCode === 0;
/** An answer may take longer than a second beside other work. */
const reaches = (from: string, to: string) =>
  eventually(() => canPing(from, to), { what: `${from} reaches ${to}` });
/** A script for a container: what a web server says. (Debian's static wget cannot resolve names.) */
const fetchInside = (host: string) => `printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${host} 80`;
/** What is resolved in a container, in order. */
const resolve = async (container: string, name: string, type = "a") =>
  [
    ...(await inside(container, `nslookup -type=${type} ${name} || true`)).matchAll(
      /^(?:Address: |.*name = )(\S+)$/gm,
    ),
  ].map(([, answer = ""]) => answer);
const refusal = async (...args: string[]) => {
  const { exitCode, stderr } = await target.docker(args);
  assert.notEqual(exitCode, 0, args.join(" "));
  return stderr;
};
const webServer = (name: string, ...flags: string[]) =>
  ok("run", "-d", "--name", name, ...flags, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc");

/** What a web server of a container says. */
async function fetchPasswd(host: string, port: number): Promise<string> {
  const socket = connect({ host, port });
  socket.on("error", () => {});
  socket.setTimeout(3000, () => socket.destroy());
  socket.write("GET /passwd HTTP/1.0\r\n\r\n");
  return await text(socket).catch(() => "");
}

const serves = (host: string, port: number) =>
  eventually(async () => /root:/.test(await fetchPasswd(host, port)), { what: `${host} ${port} is served` });

afterEach(async () => {
  const left = (await ok("ps", "-aq")).split("\n").filter((id) => id !== "");
  if (left.length > 0) await ok("rm", "-f", ...left);
  await ok("network", "prune", "-f");
});

describe("options of the bridge driver", () => {
  test("MTU and names of interfaces", async () => {
    const flags = ["-o", "com.docker.network.driver.mtu=1400", "-o"] as const;
    await ok("network", "create", ...flags, "com.docker.network.container_iface_prefix=net", "small");
    await sleeper("one", "--network", "small");
    assert.equal(await inside("one", "ls /sys/class/net; cat /sys/class/net/net0/mtu"), "lo\nnet0\n1400\n");
    await ok("network", "connect", "bridge", "one");
    assert.equal(await inside("one", "cat /sys/class/net/eth0/mtu"), "1500\n");
    assert.match(await refusal("network", "create", "-o", "com.docker.network.driver.mtu=x", "bad"), /mtu/);
  });

  test("no communication among containers", async () => {
    await ok("network", "create", ...bridgeOption("enable_icc", "false"), "apart");
    await sleeper("one", "--network", "apart");
    await sleeper("two", "--network", "apart");
    const gateway = textOf((await endpointOf("one", "apart"))["Gateway"]);
    await reaches("one", gateway);
    assert.equal(await canPing("one", await addressOf("two", "apart")), false);
  });

  test("the host's address for ports that name none", async () => {
    await ok("network", "create", ...bridgeOption("host_binding_ipv4", "127.0.0.2"), "bound");
    await webServer("web", "--network", "bound", "-p", "28500:80");
    assert.deepEqual((await portsOf("web"))["80/tcp"], [{ HostIp: "127.0.0.2", HostPort: "28500" }]);
    if (!againstDockerd) {
      await serves("127.0.0.2", 28_500);
      assert.equal(await fetchPasswd("127.0.0.1", 28_500), "");
    }
  });

  test("masquerading, source address and the gateway's address are as wanted", hawserOnly, async () => {
    const table = target.engine().nftTable;
    const rules = () => runCommandOk(["nft", "list", "table", "inet", table]);
    const create = (name: string, subnet: string, ...options: string[]) =>
      ok("network", "create", "--subnet", subnet, ...options, name);
    await create("own", "10.80.1.0/24", ...bridgeOption("enable_ip_masquerade", "false"));
    await create("other", "10.80.2.0/24", "-o", "com.docker.network.host_ipv4=127.0.0.7");
    const named = bridgeOption("name", "hwe2enone");
    await create("bare", "10.80.3.0/24", ...bridgeOption("inhibit_ipv4", "true"), ...named);
    const [, masquerade = ""] = /set masquerade4 \{(.*?)\n\t\}/s.exec(await rules()) ?? [];
    assert.doesNotMatch(masquerade, /10\.80\.[12]\.0/);
    assert.match(masquerade, /10\.80\.3\.0\/24/);
    assert.match(await rules(), /10\.80\.2\.0\/24 : 127\.0\.0\.7/);
    assert.equal(await runCommandOk(["ip", "-4", "-o", "address", "show", "dev", "hwe2enone"]), "");
    await sleeper("one", "--network", "bare");
    assert.match(await inside("one", "ip route"), /^default via 10\.80\.3\.1 /);
    assert.match(
      await refusal("network", "create", "-o", "com.docker.network.host_ipv4=::1", "bad"),
      /host_ipv4/,
    );
  });

  test("gateway modes: isolated is for internal networks, without protection all ports are open", async () => {
    const isolated = bridgeOption("gateway_mode_ipv4", "isolated");
    if (!againstDockerd) {
      assert.match(
        await refusal("network", "create", ...isolated, "bad"),
        /gateway mode 'isolated' can only be used for an internal network/,
      );
    }
    await ok("network", "create", "--internal", ...isolated, ...bridgeOption("name", "hwe2eiso"), "isolated");
    await sleeper("one", "--network", "isolated");
    await sleeper("two", "--network", "isolated");
    await reaches("one", await addressOf("two", "isolated"));
    assert.doesNotMatch(await inside("one", "ip route"), /default/);
    if (!againstDockerd) {
      assert.equal(await runCommandOk(["ip", "-4", "-o", "address", "show", "dev", "hwe2eiso"]), "");
      await ok("network", "create", ...bridgeOption("gateway_mode_ipv4", "nat-unprotected"), "open");
      await webServer("web", "--network", "open");
      const address = await addressOf("web", "open");
      await sleeper("asker");
      await eventually(async () => /root:/.test(await inside("asker", `${fetchInside(address)} || true`)));
    }
    assert.match(
      await refusal("network", "create", ...bridgeOption("gateway_mode_ipv6", "odd"), "bad"),
      /odd/,
    );
  });

  test("gateway mode routed is each family's own", hawserOnly, async () => {
    const flags = ["--ipv6", ...bridgeOption("gateway_mode_ipv6", "routed")];
    await ok("network", "create", ...flags, "--subnet", "fd00:88::/64", "--subnet", "10.80.4.0/24", "half");
    await webServer("web", "--network", "half", "-p", "28501:80");
    assert.deepEqual((await portsOf("web"))["80/tcp"], [
      { HostIp: "0.0.0.0", HostPort: "28501" },
      { HostIp: "::", HostPort: "" },
    ]);
    await serves("127.0.0.1", 28_501);
    await sleeper("far", "--network", "bridge");
    const open = await runCommandOk(["nft", "list", "set", "inet", target.engine().nftTable, "open6"]);
    assert.match(open, /fd00:88::2 \. tcp \. 80/);
  });

  test("trusted interfaces are known, and checked", hawserOnly, async () => {
    const trusted = (names: string) => bridgeOption("trusted_host_interfaces", names);
    await ok("network", "create", ...trusted("eth7:wg0"), ...bridgeOption("name", "hwe2etrust"), "trusting");
    await sleeper("one", "--network", "trusting", "-p", "127.0.0.1:28502:80");
    const rules = await runCommandOk(["nft", "list", "table", "inet", target.engine().nftTable]);
    assert.match(rules, /"eth7" \. "hwe2etrust"/);
    assert.match(rules, new RegExp(`${await addressOf("one", "trusting")} \\. tcp \\. 80`));
    assert.match(await refusal("network", "create", ...trusted("a b"), "bad"), /trusted_host_interfaces/);
  });
});

describe("what is asked of a container's part in a network", () => {
  test("the interface's name, and settings of the kernel for it", hawserOnly, async () => {
    await ok("network", "create", "first");
    await ok("network", "create", "second");
    const named = (name: string) => `driver-opt=com.docker.network.endpoint.ifname=${name}`;
    const settings =
      '"driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.forwarding=0"';
    await sleeper("one", "--network", `name=first,${named("front0")},${settings}`, "--network", "second");
    const look = (name: string) =>
      inside("one", `cd /proc/sys/net/ipv4/conf/${name}; cat log_martians forwarding`);
    assert.equal(await inside("one", "ls /sys/class/net"), "eth0\nfront0\nlo\n");
    assert.equal(await look("front0"), "1\n0\n");
    assert.notEqual(await look("eth0"), "1\n0\n");
    assert.match(await inside("one", "ip route"), /^default via \S+ dev front0/);
    await ok("restart", "-t", "0", "one");
    assert.equal(await look("front0"), "1\n0\n");
    // While it runs: the way out goes over to the other and comes back.
    await ok("network", "disconnect", "first", "one");
    assert.match(await inside("one", "ip route"), /^default via \S+ dev eth0/);
    const sysctl = "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1";
    const back = ["--driver-opt", "com.docker.network.endpoint.ifname=back", "--driver-opt", sysctl];
    await ok("network", "connect", ...back, "first", "one");
    assert.match(await look("back"), /^1\n/);
    assert.match(await inside("one", "ip route"), /^default via \S+ dev back/);
    const wrong = (option: string) => refusal("network", "connect", "--driver-opt", option, "bridge", "one");
    assert.match(
      await wrong("com.docker.network.endpoint.sysctls=net.ipv4.conf.eth0.forwarding=1"),
      /unrecognised network interface sysctl/,
    );
    assert.match(await wrong("com.docker.network.endpoint.ifname=a/b"), /invalid interface name/);
    await wrong("com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.nosuch=1");
    assert.equal(await inside("one", "ls /sys/class/net"), "back\neth0\nlo\n", "nothing is left of it");
  });

  test("which network is the way out: by priority, also of one that comes later", hawserOnly, async () => {
    for (const name of ["aaa", "bbb", "ccc"]) await ok("network", "create", name);
    await sleeper("one", "--network", "aaa", "--network", "name=bbb,gw-priority=1");
    const way = async () => /^default via (\S+)/.exec(await inside("one", "ip route"))?.[1];
    const gatewayOf = async (network: string) => textOf((await endpointOf("one", network))["Gateway"]);
    assert.equal(await way(), await gatewayOf("bbb"));
    await ok("network", "connect", "--gw-priority", "5", "ccc", "one");
    assert.equal(await way(), await gatewayOf("ccc"));
    await ok("network", "disconnect", "ccc", "one");
    assert.equal(await way(), await gatewayOf("bbb"));
    await ok("network", "connect", "--gw-priority", "-1", "ccc", "one");
    assert.equal(await way(), await gatewayOf("bbb"));
    await ok("restart", "-t", "0", "one");
    assert.equal(await way(), await gatewayOf("bbb"));
  });

  test("an address of the network's range, none that is somebody else's, and the same after a restart", async () => {
    const flags = ["--subnet", "10.80.5.0/24", "--ip-range", "10.80.5.16/30", "--gateway", "10.80.5.17"];
    await ok("network", "create", ...flags, "--aux-address", "router=10.80.5.16", "ranged");
    for (const name of ["one", "two"]) await sleeper(name, "--network", "ranged");
    const found = [await addressOf("one", "ranged"), await addressOf("two", "ranged")].toSorted();
    assert.deepEqual(found, ["10.80.5.18", "10.80.5.19"]);
    const late = await target.docker(["run", "--rm", "--network", "ranged", "busybox", "true"]);
    assert.match(late.stderr, /no available IPv4 addresses on this network's address pools/);
    const asked = ["run", "--rm", "--network", "ranged", "--ip", "10.80.5.16", "busybox", "true"];
    assert.match((await target.docker(asked)).stderr, /Address already in use/);
    await sleeper(
      "fixed",
      "--network",
      "ranged",
      "--ip",
      "10.80.5.200",
      "--mac-address",
      "02:00:00:00:05:00",
    );
    await ok("stop", "-t", "0", "fixed");
    await ok("start", "fixed");
    const { IPAddress, MacAddress } = (await endpointOf("fixed", "ranged")) as Record<string, Json>;
    assert.deepEqual([IPAddress, MacAddress], ["10.80.5.200", "02:00:00:00:05:00"]);
  });
});

describe("IPv6", () => {
  test("a network with nothing else", hawserOnly, async () => {
    await ok("network", "create", "--ipv4=false", "--ipv6", "--subnet", "fd00:89::/64", "only");
    await webServer("web", "--network", "only", "-p", "28503:80");
    const endpoint = await endpointOf("web", "only");
    assert.deepEqual(
      [endpoint["IPAddress"], endpoint["GlobalIPv6Address"], endpoint["IPv6Gateway"]],
      ["", "fd00:89::2", "fd00:89::1"],
    );
    assert.equal(await inside("web", "ip -4 -o address show dev eth0; ip -4 route"), "");
    await sleeper("asker", "--network", "only");
    assert.deepEqual(await resolve("asker", "web"), []);
    assert.deepEqual(await resolve("asker", "web", "aaaa"), ["fd00:89::2"]);
    assert.match(await inside("asker", "nslookup fd00:89::2"), /name = web\.only/);
    assert.match(await inside("asker", fetchInside("fd00:89::2")), /root:/);
    assert.deepEqual((await portsOf("web"))["80/tcp"], [{ HostIp: "::", HostPort: "28503" }]);
    await serves("::1", 28_503);
    await serves("fd00:89::1", 28_503);
    await target.engine().kill();
    await serves("fd00:89::1", 28_503);
    await target.engine().start();
    await serves("::1", 28_503);
  });

  test("ports of a network of both families are reached by either", hawserOnly, async () => {
    await ok("network", "create", "--ipv6", "both");
    const subnets = (await target.inspect("both"))["IPAM"]?.["Config"] as Json;
    assert.match(textOf(subnets[1]?.["Subnet"]), /^fd[\da-f]{2}:.*\/64$/, "one of nobody else's");
    await webServer("web", "--network", "both", "-p", "28504:80", "-p", "[::1]:28505:80");
    const gateways = [0, 1].map((index) => textOf(subnets[index]?.["Gateway"]));
    for (const host of ["127.0.0.1", "::1", ...gateways]) await serves(host, 28_504);
    await serves("::1", 28_505);
    assert.equal(await fetchPasswd("127.0.0.1", 28_505), "");
  });
});

describe("names", () => {
  test("of several containers are given in turn, and those of the host's gateway and of links", async () => {
    await ok("network", "create", "web");
    for (const name of ["one", "two", "three"])
      await sleeper(name, "--network", "web", "--network-alias", "all");
    const flags = ["--add-host", "host.docker.internal:host-gateway", "--link", "one:first"];
    await sleeper("asker", "--network", "web", ...flags);
    const firsts = new Set<string>();
    await eventually(async () => {
      return firsts.add((await resolve("asker", "all"))[0] ?? "").size === 3;
    });
    assert.deepEqual(await resolve("asker", "first"), [await addressOf("one", "web")]);
    const gateway = /^(\S+)\thost\.docker\.internal$/m.exec(await inside("asker", "cat /etc/hosts"))?.[1];
    await reaches("asker", gateway ?? "");
  });

  test("domains to search in and options are what the flags say, beside the network's own server", async () => {
    await ok("network", "create", "web");
    const flags = ["--dns-search", "web", "--dns-search", "b.example", "--dns-option", "ndots:2"];
    await sleeper("server", "--network", "web");
    await sleeper("asker", "--network", "web", ...flags);
    const told = await inside("asker", "cat /etc/resolv.conf");
    assert.match(told, /^nameserver 127\.0\.0\.11$/m);
    assert.match(told, /^search web b\.example$/m);
    assert.match(told, /^options .*ndots:2/m);
    assert.deepEqual(await resolve("asker", "server"), [await addressOf("server", "web")]);
  });

  test("of an internal network are known there, and nothing leads out of it", async () => {
    await ok("network", "create", "--internal", "within");
    await ok("network", "create", "other");
    await sleeper("server", "--network", "within");
    await sleeper("stranger", "--network", "other", "-p", "127.0.0.1:28506:80");
    await sleeper("asker", "--network", "within");
    assert.deepEqual(await resolve("asker", "server"), [await addressOf("server", "within")]);
    assert.doesNotMatch(await inside("asker", "ip route"), /default/);
    const gateway = textOf((await target.inspect("within"))["IPAM"]?.["Config"]?.[0]?.["Gateway"]);
    await ok(
      "run",
      "--rm",
      "--cap-add",
      "NET_ADMIN",
      "--network",
      "container:asker",
      "busybox",
      "ip",
      "route",
      "add",
      "default",
      "via",
      gateway,
    );
    assert.equal(await canPing("asker", await addressOf("stranger", "other")), false);
  });

  test("of links on the default bridge are in the hosts file and the environment", async () => {
    await ok(
      "run",
      "-d",
      "--name",
      "my-db",
      "-e",
      "PASS=secret",
      "--expose",
      "5432",
      "--expose",
      "9000-9001/udp",
      "busybox",
      "sleep",
      "600",
    );
    const address = await addressOf("my-db", "bridge");
    await sleeper("client", "--link", "my-db:the-db");
    const environment = (await inside("client", "env"))
      .split("\n")
      .filter((line) => line.startsWith("THE_DB"));
    assert.deepEqual(
      environment.toSorted(),
      [
        "THE_DB_ENV_PASS=secret",
        "THE_DB_NAME=/client/the-db",
        `THE_DB_PORT=tcp://${address}:5432`,
        ...portLines("5432", "TCP", address),
        ...rangeLines("9000", "9001", "UDP", address),
        ...portLines("9000", "UDP", address),
        ...portLines("9001", "UDP", address),
      ].toSorted(),
    );
    assert.match(await inside("client", "cat /etc/hosts"), new RegExp(`^${address}\tthe-db .*my-db$`, "m"));
  });
});

function portLines(port: string, protocol: "TCP" | "UDP", address: string): readonly string[] {
  const name = `THE_DB_PORT_${port}_${protocol}`;
  const scheme = protocol.toLowerCase();
  return [
    `${name}=${scheme}://${address}:${port}`,
    `${name}_ADDR=${address}`,
    `${name}_PORT=${port}`,
    `${name}_PROTO=${scheme}`,
  ];
}

/** What a range says beyond its ports. */
function rangeLines(
  first: string,
  last: string,
  protocol: "TCP" | "UDP",
  address: string,
): readonly string[] {
  const name = `THE_DB_PORT_${first}_${protocol}`;
  const scheme = protocol.toLowerCase();
  return [
    `${name}_START=${scheme}://${address}:${first}`,
    `${name}_PORT_START=${first}`,
    `${name}_END=${scheme}://${address}:${last}`,
    `${name}_PORT_END=${last}`,
  ];
}

describe("published ports", () => {
  test(
    "of UDP carry datagrams both ways; of ranges the first that is free is taken",
    hawserOnly,
    async () => {
      const range = ["-p", "127.0.0.1:28510-28512:80", "-p", "127.0.0.1:28510-28512:53/udp"];
      const names = ["one", "two", "three"];
      for (const name of names) await ok("run", "-d", "--name", name, ...range, "busybox", "sleep", "600");
      const chosen = await Promise.all(
        names.map(async (name) => textOf((await portsOf(name))["80/tcp"]?.[0]?.["HostPort"])),
      );
      assert.deepEqual(chosen, ["28510", "28511", "28512"]);
      const late = await target.docker(["run", "-d", "--name", "late", ...range, "busybox", "true"]);
      assert.match(late.stderr, /port is already allocated/);
      // Debian's busybox has no server for datagrams: one of this process' own, in the container's network.
      const namespaceFd = openNamespaceOfProcess(
        Number(textOf((await target.inspect("two"))["State"]?.["Pid"])),
      );
      const fd = socketInNamespace({ namespaceFd, protocol: "udp", address: "0.0.0.0", port: 53 });
      closeSync(namespaceFd);
      await using server = createSocket("udp4");
      server.bind({ fd });
      server.on("message", (bytes, from) =>
        server.send(`two heard ${String(bytes)}`, from.port, from.address),
      );
      const heard: string[] = [];
      await using client = createSocket("udp4");
      client.on("message", (bytes) => heard.push(String(bytes)));
      await eventually(() => {
        client.send("hello", 28_511, "127.0.0.1");
        return heard.includes("two heard hello");
      });
    },
  );
});
