import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { ask } from "./kit-http.ts";
import { runCommand } from "./kit-process.ts";
import { againstDockerd, hawserOnly, type Json, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const inspectNetwork = async (name: string) => (await target.inspect(name)) as Json;
const endpointOf = async (container: string, network: string) =>
  (await target.inspect(container))["NetworkSettings"]?.["Networks"]?.[network] as Json;
const sleeper = (name: string, ...flags: string[]) =>
  target.ok("run", "-d", "--name", name, ...flags, "busybox", "sleep", "600");
const refusal = async (...args: string[]) => {
  const { exitCode, stderr } = await target.docker(args);
  assert.notEqual(exitCode, 0, args.join(" "));
  return stderr;
};

describe("docker network", () => {
  test("knows the predefined ones, which cannot be made or removed", async () => {
    const listed = await target.ok("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}");
    for (const line of ["bridge bridge local", "host host local", "none null local"])
      assert.ok(listed.split("\n").includes(line), line);
    assert.match(
      await refusal("network", "rm", "bridge"),
      /bridge is a pre-defined network and cannot be removed/,
    );
    assert.match(
      await refusal("network", "create", "host"),
      /not permitted on (the )?predefined host network/,
    );
    const bridge = await inspectNetwork("bridge");
    assert.equal(textOf(bridge["Options"]?.["com.docker.network.bridge.default_bridge"]), "true");
    assert.equal(textOf(bridge["IPAM"]?.["Config"]?.[0]?.["Subnet"]).split(".").length, 4);
  });

  test("creates with every option, inspects, filters, removes", async () => {
    const flags = [
      ["--subnet", "10.83.0.0/24", "--ip-range", "10.83.0.128/25", "--gateway", "10.83.0.9"],
      ["--aux-address", "router=10.83.0.10", "--label", "team=net", "--attachable", "--internal"],
      ["-o", "com.docker.network.driver.mtu=1400", "-o", "com.docker.network.bridge.enable_icc=false"],
    ];
    const id = (await target.ok("network", "create", ...flags.flat(), "full")).trim();
    const network = await inspectNetwork(id.slice(0, 8));
    assert.deepEqual(network["IPAM"]?.["Config"], [
      {
        Subnet: "10.83.0.0/24",
        IPRange: "10.83.0.128/25",
        Gateway: "10.83.0.9",
        AuxiliaryAddresses: { router: "10.83.0.10" },
      },
    ]);
    assert.deepEqual(
      [network["Internal"], network["Attachable"], network["Labels"], network["Containers"]],
      [true, true, { team: "net" }, {}],
    );
    const found = async (...filters: string[]) =>
      (
        await target.ok(
          "network",
          "ls",
          "--format",
          "{{.Name}}",
          ...filters.flatMap((filter) => ["--filter", filter]),
        )
      )
        .trim()
        .split("\n");
    for (const filter of ["label=team", "label=team=net", "name=ul", `id=${id.slice(3, 20)}`, "type=custom"])
      assert.deepEqual(await found(filter), ["full"], filter);
    assert.deepEqual(await found("dangling=true"), ["full"]);
    assert.deepEqual(await found("driver=null"), ["none"]);
    assert.match(await refusal("network", "create", "full"), /network with name full already exists/);
    assert.match(
      await refusal("network", "create", "--subnet", "10.83.0.0/16", "other"),
      /Pool overlaps with other one on this address space/,
    );
    assert.equal(await target.ok("network", "rm", "full"), "full\n");
    assert.match(await refusal("network", "inspect", "full"), /network full not found/);
  });

  test("templates: config-only and config-from", async () => {
    await target.ok("network", "create", "--config-only", "--subnet", "10.84.0.0/24", "template");
    await target.ok("network", "create", "--config-from", "template", "made");
    assert.equal(textOf((await inspectNetwork("made"))["IPAM"]?.["Config"]?.[0]?.["Subnet"]), "10.84.0.0/24");
    assert.match(await refusal("network", "rm", "template"), /configuration network "template" is in use/);
    await target.ok("network", "rm", "made", "template");
  });

  test("prunes what nobody uses", async () => {
    await target.ok("network", "create", "used");
    await target.ok("network", "create", "unused");
    await sleeper("user", "--network", "used");
    const pruned = await target.ok("network", "prune", "-f");
    assert.match(pruned, /^Deleted Networks:\nunused\n/);
    assert.equal(pruned.includes("used\nused"), false);
    await target.ok("rm", "-f", "user");
    await target.ok("network", "rm", "used");
  });
});

describe("containers on networks", () => {
  test("reach each other on one, not across two, and go out by their own addresses", async () => {
    await target.ok("network", "create", "one");
    await target.ok("network", "create", "two");
    await sleeper("first", "--network", "one", "--network-alias", "alias");
    await sleeper("second", "--network", "one");
    await sleeper("other", "--network", "two");
    const first = await endpointOf("first", "one");
    const address = textOf(first["IPAddress"]);
    assert.deepEqual(first["Aliases"]?.[0], "alias");
    const ping = (from: string) => target.docker(["exec", from, "ping", "-c1", "-W1", "-q", address]);
    await eventually(async () => (await ping("second")).exitCode === 0, { what: "an answer" });
    assert.notEqual((await ping("other")).exitCode, 0);
    const members = (await inspectNetwork("one"))["Containers"] as Json;
    assert.deepEqual(
      Object.values(members as object)
        .map((member: { Name: string }) => member.Name)
        .toSorted(),
      ["first", "second"],
    );
    assert.match(await refusal("network", "rm", "one"), /network one .*has active endpoints/);
    assert.match(
      await target.ok("ps", "--filter", "network=one", "--format", "{{.Names}}"),
      /^second\nfirst\n$/,
    );
    await target.ok("rm", "-f", "first", "second", "other");
    await target.ok("network", "rm", "one", "two");
  });

  test("connect and disconnect while they run, and keep a way out", async () => {
    await target.ok("network", "create", "--subnet", "10.85.0.0/24", "more");
    await sleeper("mover");
    const interfaces = async () =>
      [...(await target.ok("exec", "mover", "ip", "-4", "-o", "addr")).matchAll(/inet (\S+)/g)].map(
        ([, address]) => address,
      );
    const before = await interfaces();
    await target.ok("network", "connect", "--ip", "10.85.0.77", "--alias", "moved", "more", "mover");
    assert.deepEqual(await interfaces(), [...before, "10.85.0.77/24"]);
    assert.match(await target.ok("exec", "mover", "cat", "/etc/hosts"), /^10\.85\.0\.77\t/m);
    assert.match(
      await refusal("network", "connect", "more", "mover"),
      /endpoint with name mover already exists in network more/,
    );
    await target.ok("network", "disconnect", "bridge", "mover");
    assert.deepEqual(await interfaces(), [before[0], "10.85.0.77/24"]);
    assert.match(await target.ok("exec", "mover", "ip", "route"), /^default via 10\.85\.0\.1 /);
    await target.ok("restart", "-t", "0", "mover");
    assert.deepEqual(await interfaces(), [before[0], "10.85.0.77/24"], "a wanted address stays");
    await target.ok("network", "disconnect", "more", "mover");
    assert.deepEqual(await interfaces(), [before[0]]);
    assert.match(
      await refusal("network", "disconnect", "more", "mover"),
      /is not connected to (the )?network/,
    );
    await target.ok("rm", "-f", "mover");
    await target.ok("network", "rm", "more");
  });

  test("connect while they do not run, with addresses of their own", async () => {
    await target.ok("network", "create", "--subnet", "10.86.0.0/24", "later");
    await target.ok("create", "--name", "sleeps", "busybox", "sleep", "600");
    await target.ok("network", "connect", "--ip", "10.86.0.5", "later", "sleeps");
    await target.ok("start", "sleeps");
    assert.match(await target.ok("exec", "sleeps", "ip", "-4", "-o", "addr"), /inet 10\.86\.0\.5\/24/);
    const flags = ["--network", "later", "--ip", "10.86.0.5"];
    const clash = await target.docker(["run", "--rm", ...flags, "busybox", "true"]);
    assert.equal(clash.exitCode, 125);
    assert.match(clash.stderr, /Address already in use/);
    // dockerd 20.10 knows no MAC address of a network's own.
    const mac = againstDockerd ? [] : ["--network", "later", "--mac-address", "02:00:00:00:00:55"];
    assert.match(
      await target.ok("run", "--rm", ...mac, "busybox", "ip", "addr"),
      againstDockerd ? /link\/ether / : /link\/ether 02:00:00:00:00:55 /,
    );
    await target.ok("rm", "-f", "sleeps");
    await target.ok("network", "rm", "later");
  });

  test("what cannot be is refused in Docker's words", async () => {
    await target.ok("network", "create", "plain");
    await sleeper("busy", "--network", "host");
    await target.ok("create", "--name", "idle", "busybox");
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [
        ["network", "connect", "plain", "busy"],
        /cannot be connected to any other network|sharing network namespace/,
      ],
      [["network", "connect", "host", "idle"], /host network/],
      [["network", "connect", "--ip", "10.1.2.3", "plain", "idle"], /user configured subnets/],
      [
        ["network", "disconnect", "nosuch", "idle"],
        /network nosuch not found|is not connected to the network/,
      ],
      [["network", "connect", "plain", "nosuch"], /No such container: nosuch/],
      [["network", "create", "--driver", "nosuch", "x"], /nosuch/],
      [["network", "create", "--subnet", "10.1.0.0", "x"], /invalid/i],
    ];
    for (const [args, words] of cases) assert.match(await refusal(...args), words);
    await target.ok("rm", "-f", "busy", "idle");
    await target.ok("network", "rm", "plain");
  });

  test("gateway mode routed: ports are opened, not led to; link-local addresses", hawserOnly, async () => {
    const mode = "com.docker.network.bridge.gateway_mode_ipv4=routed";
    await target.ok("network", "create", "-o", mode, "--subnet", "10.99.44.0/24", "routed");
    const flags = ["-p", "80", "--network", "name=routed,link-local-ip=169.254.9.9"];
    await target.ok("run", "-d", "--name", "open", ...flags, "busybox", "sleep", "600");
    const { NetworkSettings: settings } = await target.inspect("open");
    const bindings = settings?.["Ports"]?.["80/tcp"] as unknown as readonly {
      HostIp: string;
      HostPort: string;
    }[];
    assert.equal(bindings.find(({ HostIp }) => HostIp === "0.0.0.0")?.HostPort, "");
    assert.match(await target.ok("exec", "open", "ip", "address", "show", "eth0"), /169\.254\.9\.9\/16/);
    const { stdout } = await runCommand(["nft", "list", "set", "inet", target.engine().nftTable, "open4"]);
    assert.match(stdout, /10\.99\.44\.2 \. tcp \. 80/);
    await target.ok("rm", "-f", "open");
    await target.ok("network", "rm", "routed");
  });

  test("IPv6: addresses of both families, from a subnet of its own", async () => {
    await target.ok(
      "network",
      "create",
      "--ipv6",
      "--subnet",
      "fd00:85::/64",
      "--subnet",
      "10.87.0.0/24",
      "both",
    );
    await sleeper("six", "--network", "both", "--ip6", "fd00:85::99");
    assert.match(await target.ok("exec", "six", "ip", "-6", "-o", "addr"), /inet6 fd00:85::99\/64/);
    assert.match(await target.ok("exec", "six", "ip", "-6", "route"), /^default via fd00:85::1 /m);
    const ping = ["run", "--rm", "--network", "both", "busybox", "ping", "-6", "-c1", "-W2", "fd00:85::99"];
    await eventually(async () => (await target.docker(ping)).exitCode === 0, { what: "an answer" });
    assert.equal(textOf((await endpointOf("six", "both"))["GlobalIPv6Address"]), "fd00:85::99");
    await target.ok("rm", "-f", "six");
    await target.ok("network", "rm", "both");
  });
});

describe("networks and the engine's end", () => {
  test("a kill of the engine loses no network and no address", hawserOnly, async () => {
    const engine = target.engine();
    await target.ok("network", "create", "--subnet", "10.88.0.0/24", "kept");
    await sleeper("lives", "--network", "kept");
    const before = await endpointOf("lives", "kept");
    await engine.kill();
    await engine.start();
    assert.deepEqual(await endpointOf("lives", "kept"), before);
    const told = await target.ok("run", "--rm", "--network", "kept", "busybox", "ip", "-4", "-o", "addr");
    assert.match(told, /inet 10\.88\.0\.3\/24/);
    await target.ok("network", "disconnect", "kept", "lives");
    await target.ok("network", "connect", "kept", "lives");
    await target.ok("rm", "-f", "lives");
    await target.ok("network", "rm", "kept");
    assert.doesNotMatch((await runCommand(["ip", "-o", "addr"])).stdout, /10\.88\.0\./);
  });

  test("a bridge that somebody deletes comes back, with its containers", hawserOnly, async () => {
    const flags = ["-o", "com.docker.network.bridge.name=hwe2edel", "--subnet", "10.89.0.0/24"];
    await target.ok("network", "create", ...flags, "deleted");
    await sleeper("stays", "--network", "deleted");
    await runCommand(["ip", "link", "delete", "hwe2edel"]);
    const ping = ["run", "--rm", "--network", "deleted", "busybox", "ping", "-c1", "-W1", "-q", "10.89.0.2"];
    await eventually(async () => (await target.docker(ping)).exitCode === 0, {
      what: "they are reached again",
    });
    const { bridge } = target.engine();
    await sleeper("plain");
    const address = textOf((await endpointOf("plain", "bridge"))["IPAddress"]);
    await runCommand(["ip", "link", "delete", bridge]);
    const plain = ["run", "--rm", "busybox", "ping", "-c1", "-W1", "-q", address];
    await eventually(async () => (await target.docker(plain)).exitCode === 0, {
      what: "the default bridge is back",
    });
    await target.ok("rm", "-f", "stays", "plain");
    await target.ok("network", "rm", "deleted");
  });

  test("macvlan: interfaces of their own beside an interface of the host", hawserOnly, async () => {
    await runCommand(["ip", "link", "add", "hwe2eparent", "type", "bridge"]);
    try {
      await runCommand(["ip", "link", "set", "hwe2eparent", "up"]);
      const flags = ["-d", "macvlan", "-o", "parent=hwe2eparent", "--subnet", "10.82.0.0/24"];
      await target.ok("network", "create", ...flags, "beside");
      await sleeper("own1", "--network", "beside", "-p", "28099:80");
      await sleeper("own2", "--network", "beside");
      const [first, second] = [await endpointOf("own1", "beside"), await endpointOf("own2", "beside")];
      assert.deepEqual([first["IPAddress"], second["IPAddress"]], ["10.82.0.2", "10.82.0.3"]);
      const ping = ["exec", "own2", "ping", "-c1", "-W2", "-q", "10.82.0.2"];
      await eventually(async () => (await target.docker(ping)).exitCode === 0, { what: "an answer" });
      await target.ok("network", "disconnect", "beside", "own1");
      assert.doesNotMatch(await target.ok("exec", "own1", "ip", "-o", "link"), /eth0/);
      await target.ok("rm", "-f", "own1", "own2");
      await target.ok("network", "rm", "beside");
      // By the API: `docker network create` gives several subnets in an order of chance.
      const wide = {
        Name: "wide",
        Driver: "macvlan",
        Options: { parent: "hwe2eparent" },
        IPAM: { Config: [{ Subnet: "10.82.0.0/30" }, { Subnet: "10.82.1.0/24", Gateway: "10.82.1.9" }] },
      };
      assert.equal((await ask(target.socket(), "POST /v1.41/networks/create", { body: wide })).status, 201);
      await sleeper("own1", "--network", "wide");
      await sleeper("own2", "--network", "wide");
      await sleeper("own3", "--network", "wide", "--ip", "10.82.1.77");
      const places = [];
      for (const name of ["own1", "own2", "own3"]) {
        const { IPAddress, Gateway } = await endpointOf(name, "wide");
        places.push([IPAddress, Gateway]);
      }
      assert.deepEqual(places, [
        ["10.82.0.2", "10.82.0.1"],
        ["10.82.1.1", "10.82.1.9"],
        ["10.82.1.77", "10.82.1.9"],
      ]);
      await target.ok("rm", "-f", "own1", "own2", "own3");
      await target.ok("network", "rm", "wide");
      const refused = (parent: string) =>
        refusal("network", "create", "-d", "macvlan", "-o", `parent=${parent}`, "x");
      assert.match(await refused("nosuch0"), /the host has none of that name/);
      assert.match(await refused("nosuch0.5"), /failed to find master interface nosuch0/);
      assert.match(await refused("hwe2eparent.4095"), /vlan id must be between 1-4094, received: 4095/);
      assert.match(await refused("hwe2eparent.x"), /unable to parse a valid vlan id/);
    } finally {
      await runCommand(["ip", "link", "delete", "hwe2eparent"]);
    }
  });

  test("20 networks made and removed at once leave nothing", { skip: againstDockerd }, async () => {
    const names = Array.from({ length: 20 }, (_, index) => `parallel${index}`);
    const created = await Promise.all(names.map((name) => target.ok("network", "create", name)));
    const bridges = created.map((id) => `br-${id.slice(0, 12)}`);
    const present = async () => {
      const links = (await runCommand(["ip", "-o", "link", "show", "type", "bridge"])).stdout;
      return bridges.filter((bridge) => links.includes(` ${bridge}: `)).length;
    };
    const subnets = await Promise.all(
      names.map(async (name) => textOf((await inspectNetwork(name))["IPAM"]?.["Config"]?.[0]?.["Subnet"])),
    );
    assert.equal(new Set(subnets).size, names.length);
    assert.equal(await present(), names.length);
    await Promise.all(names.map((name) => target.ok("network", "rm", name)));
    await eventually(async () => (await present()) === 0, { what: "no bridge is left" });
  });
});
