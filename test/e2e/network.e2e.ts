import assert from "node:assert/strict";
import { readFile, readlink } from "node:fs/promises";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { runCommand } from "./kit-process.ts";
import { hawserOnly, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const run = (...args: string[]) =>
  target.ok("run", "--rm", ...args.slice(0, -1), "busybox", "sh", "-c", args.at(-1) ?? "");
const interfaces = "ls /sys/class/net | tr '\\n' ' '";
const addressOf = async (name: string) => {
  const networks = (await target.inspect(name))["NetworkSettings"]?.["Networks"];
  return textOf(networks?.["bridge"]?.["IPAddress"]);
};

describe("the default bridge", () => {
  test("gives an address, a gateway and a way out", async () => {
    await target.ok("run", "-d", "--name", "one", "busybox", "sleep", "600");
    const address = await addressOf("one");
    const network = (await target.inspect("one"))["NetworkSettings"]?.["Networks"]?.["bridge"];
    assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
    assert.match(
      await target.ok("exec", "one", "ip", "-4", "addr", "show", "eth0"),
      new RegExp(`inet ${address}/${textOf(network?.["IPPrefixLen"])} `),
    );
    assert.match(
      await target.ok("exec", "one", "ip", "route"),
      new RegExp(`^default via ${textOf(network?.["Gateway"])} dev eth0`),
    );
    assert.match(
      await target.ok("exec", "one", "ip", "link", "show", "eth0"),
      new RegExp(textOf(network?.["MacAddress"])),
    );
    assert.equal(
      await target
        .ok("exec", "one", "ping", "-c1", "-W5", "-q", textOf(network?.["Gateway"]))
        .then(() => "answered"),
      "answered",
    );
    await target.ok("rm", "-f", "one");
  });

  test("connects two containers, by address", async () => {
    const serve = "echo from the server | nc -l -p 8080";
    await target.ok("run", "-d", "--name", "server", "busybox", "sh", "-c", serve);
    const address = await addressOf("server");
    const client = `for i in $(seq 99); do nc ${address} 8080 </dev/null && break; sleep 0.1; done`;
    assert.equal(await run(client), "from the server\n");
  });

  test("gives back addresses of containers that are gone, and none twice", async () => {
    const names = ["n1", "n2", "n3"];
    await Promise.all(names.map((name) => target.ok("run", "-d", "--name", name, "busybox", "sleep", "600")));
    const addresses = await Promise.all(names.map(addressOf));
    assert.equal(new Set(addresses).size, 3);
    await target.ok("rm", "-f", ...names);
  });

  test("lets containers reach what the host serves on the gateway", hawserOnly, async () => {
    const server = createServer((socket) => socket.end("from the host\n"));
    await target.ok("run", "-d", "--name", "asks", "busybox", "sleep", "600");
    const network = (await target.inspect("asks"))["NetworkSettings"]?.["Networks"]?.["bridge"];
    const gateway = textOf(network?.["Gateway"]);
    const { promise: listening, resolve } = Promise.withResolvers<void>();
    server.listen(0, gateway, resolve);
    try {
      await listening;
      const address = server.address();
      assert.ok(typeof address === "object" && address !== null);
      assert.equal(
        await target.ok("exec", "asks", "nc", "-w", "5", gateway, `${address.port}`),
        "from the host\n",
      );
    } finally {
      server.close();
      await target.ok("rm", "-f", "asks");
    }
  });

  test("translates addresses on the way out, in a table of the engine's own", hawserOnly, async () => {
    const rules = await readNft(target.engine().nftTable);
    assert.match(rules, /masquerade/);
  });
});

describe("--network", () => {
  test("none has the loopback only", async () => {
    assert.equal(await run("--network", "none", `${interfaces}; ip -4 -o addr | wc -l`), "lo 1\n");
  });

  test("host is the host's", async () => {
    const namespace = "readlink /proc/self/ns/net";
    const told = await run("--network", "host", namespace);
    assert.equal(await run("--network", "host", namespace), told);
    assert.notEqual(await run(namespace), told);
    assert.match(await run("--network", "host", "cat /sys/class/net/lo/ifindex"), /^1\n$/);
  });

  test("host has the host's name and interfaces", hawserOnly, async () => {
    assert.equal(
      await run("--network", "host", "readlink /proc/self/ns/net"),
      `${await readlink("/proc/self/ns/net")}\n`,
    );
    assert.equal(
      await run("--network", "host", "hostname"),
      await readFile("/proc/sys/kernel/hostname", "utf8"),
    );
  });

  test("container:x shares the network, host name and hosts of another", async () => {
    await target.ok("run", "-d", "--name", "owner", "-h", "owned", "busybox", "sleep", "600");
    const namespace = "readlink /proc/self/ns/net; hostname; cat /etc/hosts";
    const told = await target.ok("exec", "owner", "sh", "-c", namespace);
    assert.equal(await run("--network", "container:owner", namespace), told);
    await target.ok("rm", "-f", "owner");
    const missing = await target.docker(["run", "--rm", "--network", "container:owner", "busybox", "true"]);
    assert.equal(missing.exitCode, 125);
    assert.match(missing.stderr, /[Nn]o such container: owner/);
  });

  test("container:x needs a running one", async () => {
    await target.ok("create", "--name", "idle", "busybox");
    const idle = await target.docker(["run", "--rm", "--network", "container:idle", "busybox", "true"]);
    assert.equal(idle.exitCode, 125);
    assert.match(idle.stderr, /cannot join (network|namespace) of a non running container/);
  });

  test("of an unknown name is not found", async () => {
    const { exitCode, stderr } = await target.docker([
      "run",
      "--rm",
      "--network",
      "nosuch",
      "busybox",
      "true",
    ]);
    assert.equal(exitCode, 125);
    assert.match(stderr, /network nosuch not found/);
  });
});

describe("names", () => {
  test("/etc/hosts knows the loopback, the container and what --add-host adds", async () => {
    const told = await run("-h", "me", "--add-host", "other:10.1.2.3", "cat /etc/hosts");
    assert.match(told, /^127\.0\.0\.1\tlocalhost$/m);
    assert.match(told, /^::1\tlocalhost ip6-localhost ip6-loopback$/m);
    assert.match(told, /^10\.1\.2\.3\tother$/m);
    assert.match(told, /^\d+\.\d+\.\d+\.\d+\tme$/m);
  });

  test("/etc/resolv.conf is what the flags say", async () => {
    const flags = [
      "--dns",
      "192.0.2.1",
      "--dns",
      "192.0.2.2",
      "--dns-search",
      "a.example",
      "--dns-option",
      "ndots:3",
    ];
    const told = await run(...flags, "cat /etc/resolv.conf");
    assert.match(told, /^nameserver 192\.0\.2\.1$/m);
    assert.match(told, /^nameserver 192\.0\.2\.2$/m);
    assert.match(told, /^search a\.example$/m);
    assert.match(told, /^options ndots:3$/m);
  });

  test("/etc/resolv.conf without flags has the host's servers, but none on its loopback", async () => {
    const host = await readFile("/etc/resolv.conf", "utf8");
    const servers = [...host.matchAll(/^nameserver\s+(\S+)/gm)].map(([, server]) => server ?? "");
    const reachable = servers.filter((server) => !server.startsWith("127.") && server !== "::1");
    const told = await run("cat /etc/resolv.conf");
    for (const server of reachable)
      assert.match(told, new RegExp(`^nameserver ${server.replaceAll(".", "\\.")}$`, "m"));
    assert.doesNotMatch(told, /^nameserver 127\./m);
  });

  test("the three files can be written, and are the container's own", async () => {
    await target.ok(
      "run",
      "-d",
      "--name",
      "files",
      "busybox",
      "sh",
      "-c",
      "echo '10.9.8.7 mine' >>/etc/hosts; sleep 600",
    );
    await eventually(async () =>
      (await target.ok("exec", "files", "cat", "/etc/hosts")).includes("10.9.8.7 mine"),
    );
    assert.doesNotMatch(await run("cat /etc/hosts"), /mine/);
    assert.doesNotMatch(await readFile("/etc/hosts", "utf8"), /10\.9\.8\.7/);
    await target.ok("rm", "-f", "files");
  });
});

async function readNft(table: string): Promise<string> {
  const tables = await Promise.all(
    ["inet", "ip"].map((family) => runCommand(["nft", "list", "table", family, table])),
  );
  return tables.map(({ stdout }) => stdout).join("");
}
