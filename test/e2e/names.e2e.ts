import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { hawserOnly, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const sleeper = (name: string, ...flags: string[]) =>
  target.ok("run", "-d", "--name", name, ...flags, "busybox", "sleep", "600");
const addressOf = async (name: string, network: string) => {
  const networks = (await target.inspect(name))["NetworkSettings"]?.["Networks"];
  return textOf(networks?.[network]?.["IPAddress"]);
};

/** What a container's resolver is told; empty when there is no such name. */
async function resolve(container: string, ...question: string[]): Promise<string[]> {
  const { stdout } = await target.docker(["exec", container, "nslookup", ...question]);
  const [, answers = ""] = stdout.split(/\n\s*\n/);
  return [...`${answers}\n${stdout}`.matchAll(/^(?:Address(?: \d+)?:\s+|.*name = )(\S+)$/gm)]
    .map(([, answer = ""]) => answer)
    .filter((answer, index, all) => !answer.startsWith("127.0.0.11") && all.indexOf(answer) === index)
    .toSorted();
}

describe("names on a user's network", () => {
  test("containers find each other by name, alias, short id, host name and network", async () => {
    await target.ok("network", "create", "web");
    const id = (
      await sleeper("server", "--network", "web", "--network-alias", "shared", "-h", "myhost")
    ).trim();
    await sleeper("client", "--network", "web", "--network-alias", "shared");
    const [server, client] = [await addressOf("server", "web"), await addressOf("client", "web")];
    for (const name of ["server", "server.web", id.slice(0, 12)])
      assert.deepEqual(await resolve("client", "-type=a", name), [server], name);
    assert.deepEqual(await resolve("server", "-type=a", "shared"), [server, client].toSorted());
    assert.deepEqual(await resolve("client", "-type=aaaa", "server"), []);
    assert.deepEqual(
      await resolve("client", "-type=ptr", server.split(".").toReversed().join(".").concat(".in-addr.arpa")),
      ["server.web"],
    );
    assert.match(await target.ok("exec", "client", "cat", "/etc/resolv.conf"), /^nameserver 127\.0\.0\.11$/m);
    assert.match(await target.ok("exec", "client", "cat", "/etc/resolv.conf"), /^options .*ndots:0/m);
    await target.ok("stop", "-t", "0", "server");
    assert.deepEqual(await resolve("client", "-type=a", "shared"), [client], "who is gone is not found");
    await target.ok("rm", "server");
    await sleeper("renamed", "--network", "web");
    await target.ok("rename", "renamed", "server");
    assert.deepEqual(await resolve("client", "-type=a", "server"), [await addressOf("server", "web")]);
    await target.ok("rm", "-f", "server", "client");
    await target.ok("network", "rm", "web");
  });

  test("only there, and from the moment of connecting", async () => {
    await target.ok("network", "create", "web");
    await target.ok("network", "create", "other");
    await sleeper("server", "--network", "web");
    await sleeper("stranger", "--network", "other");
    const server = await addressOf("server", "web");
    assert.deepEqual((await resolve("stranger", "-type=a", "server")).includes(server), false);
    await target.ok("network", "connect", "--alias", "again", "web", "stranger");
    assert.deepEqual(await resolve("stranger", "-type=a", "server"), [server]);
    assert.deepEqual(await resolve("server", "-type=a", "again"), [await addressOf("stranger", "web")]);
    await target.ok("network", "disconnect", "web", "stranger");
    assert.deepEqual((await resolve("stranger", "-type=a", "server")).includes(server), false);
    await target.ok("rm", "-f", "server", "stranger");
    await target.ok("network", "rm", "web", "other");
  });

  test("also for one that came from the default bridge, and under the names of its links", async () => {
    await target.ok("network", "create", "web");
    await sleeper("server", "--network", "web");
    await sleeper("comer");
    await target.ok("network", "connect", "--link", "server:database", "web", "comer");
    const server = await addressOf("server", "web");
    assert.deepEqual(await resolve("comer", "-type=a", "server"), [server]);
    assert.deepEqual(await resolve("comer", "-type=a", "database"), [server]);
    await target.ok("rm", "-f", "server", "comer");
    await target.ok("network", "rm", "web");
  });

  test("the engine's death interrupts them only until the next one is there", hawserOnly, async () => {
    const engine = target.engine();
    await target.ok("network", "create", "web");
    await sleeper("server", "--network", "web");
    await sleeper("client", "--network", "web");
    const server = await addressOf("server", "web");
    await engine.kill();
    await engine.start();
    await eventually(async () => (await resolve("client", "-type=a", "server"))[0] === server);
    await target.ok("rm", "-f", "server", "client");
    await target.ok("network", "rm", "web");
  });

  test("host.docker.internal is what host-gateway stands for", async () => {
    const flags = ["--add-host", "host.docker.internal:host-gateway"];
    const gateway = /^(\S+)\thost\.docker\.internal$/m.exec(
      await target.ok("run", "--rm", ...flags, "busybox", "cat", "/etc/hosts"),
    )?.[1];
    assert.match(gateway ?? "", /^\d+\.\d+\.\d+\.\d+$/);
  });
});
