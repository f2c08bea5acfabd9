import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { findProcesses, type ProcessEntry } from "./kit-proc.ts";
import { runCommandOk } from "./kit-process.ts";
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

/** A name server of this host's that has one address for all names (RFC 1035, 4). */
async function openNameServer(address: string, answer: readonly number[]): Promise<AsyncDisposable> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(1, 6);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...answer]);
    socket.send(Buffer.concat([header, query.subarray(12), record]), from.port, from.address);
  });
  socket.bind(53, address);
  await once(socket, "listening");
  return {
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
}

/** Open descriptors of a process; 0 when it has ended. */
function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
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

  test(
    "are answered while no engine runs, strangers' ones, too, and the next one takes over",
    hawserOnly,
    async () => {
      const engine = target.engine();
      const upstream = "127.0.53.53"; // the host's own loopback: asked from there
      await using _server = await openNameServer(upstream, [192, 0, 2, 7]);
      await target.ok("network", "create", "web");
      await sleeper("server", "--network", "web");
      const endless = "while :; do nslookup -type=a server >/dev/null && echo found || echo lost; done";
      await target.ok("run", "-d", "--name", "asker", "--network", "web", "busybox", "sh", "-c", endless);
      await sleeper("client", "--network", "web", "--dns", upstream);
      const server = await addressOf("server", "web");
      const pid = textOf((await target.inspect("client"))["State"]?.["Pid"]);
      const ask = async (...question: string[]) =>
        await runCommandOk(["nsenter", "-t", pid, "-n", "-m", "nslookup", "-type=a", ...question]);
      const answered = async () => {
        assert.match(await ask("server"), new RegExp(`Address: ${server}\n`));
        assert.match(await ask("stranger.example."), /Address: 192\.0\.2\.7\n/);
      };
      const ofEngine = (wanted: (entry: ProcessEntry) => boolean) =>
        findProcesses((entry) => entry.command.includes(engine.dataRoot) && wanted(entry));
      const keepers = () => ofEngine(({ name }) => name === "hawser-keeper");
      const standIns = () =>
        ofEngine(({ command, name }) => command.includes("stand-in") && name !== "hawser-keeper");
      for (let round = 0; round < 2; round++) {
        await answered();
        const ready = async (except = 0) => {
          const found = () =>
            keepers().find(({ pid: other }) => other !== except && descriptorsOf(other) >= 5 + 3 * 2);
          await eventually(() => found() !== undefined, {
            what: "a keeper has the sockets of three containers",
          });
          return found()?.pid ?? 0;
        };
        const keeper = await ready();
        if (round === 1) {
          process.kill(keeper, "SIGKILL"); // it has a successor
          await ready(keeper);
        }
        await engine.kill();
        for (let times = 0; times < 3; times++) await answered();
        assert.equal(standIns().length, 1);
        await engine.start();
        await answered();
        await eventually(() => standIns().length === 0, { what: "the stand-in has ended" });
      }
      const heard = await target.ok("logs", "asker");
      assert.match(heard, /found/);
      assert.doesNotMatch(heard, /lost/);
      await target.ok("rm", "-f", "server", "client", "asker");
      await eventually(() => keepers().length === 1, { what: "only the keeper is left" });
      await engine.kill();
      await eventually(() => keepers().length + standIns().length === 0, {
        what: "with nothing to keep it ends",
      });
      await engine.start();
      await target.ok("network", "rm", "web");
    },
  );

  test("host.docker.internal is what host-gateway stands for", async () => {
    const flags = ["--add-host", "host.docker.internal:host-gateway"];
    const gateway = /^(\S+)\thost\.docker\.internal$/m.exec(
      await target.ok("run", "--rm", ...flags, "busybox", "cat", "/etc/hosts"),
    )?.[1];
    assert.match(gateway ?? "", /^\d+\.\d+\.\d+\.\d+$/);
  });
});
