import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { runCommand } from "./kit-process.ts";
import { hawserOnly, type Json, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
/** A server that says who asks; on Hawser's side of the test, so that no port of another engine is in the way. */
const serving = (name: string, ...flags: string[]) =>
  target.ok(
    "run",
    "-d",
    "--name",
    name,
    ...flags,
    "busybox",
    "sh",
    "-c",
    "while :; do echo served | nc -l -p 80; done",
  );
const portsOf = async (name: string) => (await target.inspect(name))["NetworkSettings"]?.["Ports"] as Json;

/** What a server on this host says; `undefined` when nobody answers. */
async function ask(port: number, host = "127.0.0.1"): Promise<string | undefined> {
  const socket = connect({ port, host });
  let text = "";
  socket.on("data", (data: Buffer) => (text += String(data)));
  socket.on("error", () => {});
  socket.setTimeout(3000, () => socket.destroy());
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  socket.on("close", () => resolve());
  await closed;
  return text === "" ? undefined : text;
}

const answers = (port: number, host?: string) =>
  eventually(async () => (await ask(port, host)) === "served\n", { what: `port ${port} of ${host} answers` });

describe("published ports", () => {
  test("as inspect, ps and port tell them: chosen, ephemeral, ranges, all that are exposed", async () => {
    await target.ok(
      "run",
      "-d",
      "--name",
      "told",
      "-p",
      "127.0.0.1:28080:80",
      "-p",
      "127.0.0.1::81/udp",
      "-p",
      "127.0.0.1:28100-28102:90-92",
      "--expose",
      "99",
      "busybox",
      "sleep",
      "600",
    );
    const ports = await portsOf("told");
    assert.deepEqual(ports["80/tcp"], [{ HostIp: "127.0.0.1", HostPort: "28080" }]);
    assert.deepEqual(ports["92/tcp"], [{ HostIp: "127.0.0.1", HostPort: "28102" }]);
    assert.equal(ports["99/tcp"], null);
    const udp = textOf(ports["81/udp"]?.[0]?.["HostPort"]);
    assert.ok(Number(udp) > 1024);
    const told = (await target.ok("port", "told")).trim().split("\n").toSorted();
    assert.deepEqual(
      told,
      [
        "80/tcp -> 127.0.0.1:28080",
        `81/udp -> 127.0.0.1:${udp}`,
        "90/tcp -> 127.0.0.1:28100",
        "91/tcp -> 127.0.0.1:28101",
        "92/tcp -> 127.0.0.1:28102",
      ].toSorted(),
    );
    const listed = await target.ok("ps", "--filter", "publish=28101", "--format", "{{.Names}} {{.Ports}}");
    assert.match(listed, /^told .*127\.0\.0\.1:28080->80\/tcp/);
    await target.ok("stop", "-t", "0", "told");
    assert.deepEqual(await portsOf("told"), {});
    await target.ok("rm", "told");
    await target.ok("run", "-d", "--name", "all", "-P", "--expose", "80", "busybox", "sleep", "600");
    const all = (await portsOf("all"))["80/tcp"] as Json;
    assert.equal(textOf(all[0]?.["HostIp"]), "0.0.0.0");
    assert.ok(Number(textOf(all[0]?.["HostPort"])) > 1024);
    await target.ok("rm", "-f", "all");
    // What is published by itself is so once, and a range that is exposed is all of it.
    const own = ["-p", "127.0.0.1:28081:80", "-p", "127.0.0.1::81/udp"];
    await target.ok(
      "run",
      "-d",
      "--name",
      "most",
      "-P",
      ...own,
      "--expose",
      "80",
      "--expose",
      "90-91",
      "busybox",
      "sleep",
      "600",
    );
    const most = Object.entries(await portsOf("most")) as [string, Json][];
    assert.deepEqual(
      most.map(([port, bindings]) => [port, textOf(bindings[0]?.["HostIp"])]),
      [
        ["80/tcp", "127.0.0.1"],
        ["81/udp", "127.0.0.1"],
        ["90/tcp", "0.0.0.0"],
        ["91/tcp", "0.0.0.0"],
      ],
    );
    await target.ok("rm", "-f", "most");
    await target.ok(
      "run",
      "-d",
      "--name",
      "none",
      "-P",
      "--network",
      "none",
      "--expose",
      "80",
      "busybox",
      "sleep",
      "600",
    );
    assert.deepEqual(await portsOf("none"), {});
    await target.ok("rm", "-f", "none");
  });

  test("that are taken are refused, and nothing is left", async () => {
    await target.ok("run", "-d", "--name", "holder", "-p", "127.0.0.1:28080:80", "busybox", "sleep", "600");
    const second = await target.docker([
      "run",
      "-d",
      "--name",
      "second",
      "-p",
      "28080:80",
      "busybox",
      "sleep",
      "600",
    ]);
    assert.equal(second.exitCode, 125);
    assert.match(second.stderr, /driver failed programming external connectivity on endpoint second/);
    assert.match(
      second.stderr,
      /(0\.0\.0\.0|127\.0\.0\.1):28080( failed: port is already allocated|: bind: address already in use)/,
    );
    await target.ok("rm", "-f", "holder");
    await target.ok("start", "second");
    await target.ok("rm", "-f", "second");
    const wrong = await target.docker(["create", "-p", "127.0.0.1:99999:80", "busybox"]);
    assert.notEqual(wrong.exitCode, 0);
  });

  test(
    "are reached from the host, by loopback and by its addresses, of both families",
    hawserOnly,
    async () => {
      await serving("web", "-p", "28080:80");
      for (const host of ["127.0.0.1", "127.0.0.2", "::1"]) await answers(28080, host);
      const bridge = (await target.inspect("bridge"))["IPAM"]?.["Config"]?.[0]?.["Gateway"];
      await answers(28080, textOf(bridge));
      await target.ok("rm", "-f", "web");
      assert.equal(await ask(28080), undefined);
    },
  );

  test(
    "are reached from containers of other networks and of the own, through the host",
    hawserOnly,
    async () => {
      await target.ok("network", "create", "apart");
      await serving("web", "--network", "apart", "-p", "28080:80");
      const gateway = textOf((await target.inspect("apart"))["IPAM"]?.["Config"]?.[0]?.["Gateway"]);
      const asks = (network: string) =>
        target.ok(
          "run",
          "--rm",
          "--network",
          network,
          "busybox",

          "sh",
          "-c",
          `for i in $(seq 50); do nc -w 3 ${gateway} 28080 </dev/null && break; sleep 0.2; done`,
        );
      assert.equal(await asks("bridge"), "served\n");
      assert.equal(await asks("apart"), "served\n");
      await target.ok("network", "connect", "bridge", "web");
      await answers(28080);
      await target.ok("network", "disconnect", "apart", "web");
      await answers(28080);
      await target.ok("rm", "-f", "web");
      await target.ok("network", "rm", "apart");
    },
  );

  test("that another program has are refused in Docker's words", hawserOnly, async () => {
    const server = createServer().listen(28081, "127.0.0.1");
    await once(server, "listening");
    const refused = await target.docker(["run", "--rm", "-p", "28081:80", "busybox", "true"]);
    assert.equal(refused.exitCode, 125);
    assert.match(
      refused.stderr,
      /failed to bind host port for 0\.0\.0\.0:28081:[\d.]+:80\/tcp: address already in use/,
    );
    server.close();
    await once(server, "close");
    await target.ok("run", "--rm", "-p", "28081:80", "busybox", "true");
  });

  test("outlive the engine, and are the next one's", hawserOnly, async () => {
    const engine = target.engine();
    await serving("web", "-p", "28080:80");
    await answers(28080);
    await engine.kill();
    await answers(28080);
    await engine.start();
    await answers(28080);
    await answers(28080, "::1");
    const second = await target.docker(["run", "--rm", "-p", "28080:80", "busybox", "true"]);
    assert.match(second.stderr, /port is already allocated/);
    await runCommand(["nft", "flush", "table", "inet", engine.nftTable]);
    await answers(28080);
    await target.ok("rm", "-f", "web");
    assert.equal(await ask(28080), undefined);
  });

  test("come and go while a container runs, and stay so for its next run", hawserOnly, async () => {
    const update = (...args: readonly string[]) => target.engine().hawser(["container", "update", ...args]);
    const ok = async (...args: readonly string[]) => {
      const { exitCode, stderr } = await update(...args);
      assert.equal(exitCode, 0, stderr);
    };
    await serving("changing", "-p", "127.0.0.1:28300:80");
    await answers(28300);
    await ok("--publish-add", "127.0.0.1:28301:80", "changing");
    await answers(28301);
    await answers(28300);
    const { exitCode, stderr } = await update(
      "--publish-rm",
      "28300:80",
      "--publish-add",
      "127.0.0.1:28302:80",
      "--publish-add",
      "127.0.0.1:28301:81",
      "changing",
    );
    assert.equal(exitCode, 1);
    assert.match(stderr, /Bind for 127\.0\.0\.1:28301 failed: port is already allocated/);
    assert.match(await target.ok("port", "changing"), /:28300\n80\/tcp -> .*:28301\n$/);
    await answers(28300);
    assert.equal(await ask(28302), undefined);
    await ok("--publish-rm", "28300:80", "changing");
    assert.equal(await ask(28300), undefined);
    await answers(28301);
    await target.engine().kill();
    await target.engine().start();
    await ok("--publish-rm", "80", "--publish-add", "127.0.0.1:28303:80", "changing");
    assert.equal(await ask(28301), undefined);
    await answers(28303);
    await target.ok("restart", "-t", "0", "changing");
    await answers(28303);
    assert.match(
      (await update("--publish-rm", "81", "changing")).stderr,
      /port 81\/tcp: it is not published so/,
    );
    await target.ok("stop", "-t", "0", "changing");
    await ok("--publish-add", "127.0.0.1:28304:80", "changing");
    await target.ok("start", "changing");
    await answers(28304);
    await target.ok("rm", "-f", "changing");
    await target.ok("run", "-d", "--name", "plain", "--network", "none", "busybox", "sleep", "600");
    assert.match((await update("--publish-add", "28305:80", "plain")).stderr, /no network of its own/);
    await target.ok("rm", "-f", "plain");
  });

  // What they cost is measured by the benchmarks' row `ports-200`; that they are one transaction, by a test of the package.
  test("200 of them cost next to nothing, not seconds", hawserOnly, async () => {
    const flags = ["-p", "127.0.0.1:29000-29199:1000-1199"];
    const start = async (...more: string[]) => {
      await target.ok("create", "--name", "many", ...more, "busybox", "sleep", "600");
      const begun = performance.now();
      await target.ok("start", "many");
      const took = performance.now() - begun;
      await target.ok("rm", "-f", "many");
      return took;
    };
    const plain = Math.min(await start(), await start(), await start());
    const many = Math.min(await start(...flags), await start(...flags), await start(...flags));
    assert.ok(many - plain < 2000, `${many - plain} ms`);
  });
});
