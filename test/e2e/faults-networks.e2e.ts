import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync } from "node:fs";
import { readdir, readlink } from "node:fs/promises";
import { describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { eventually } from "@hawser/base/testing";
import { openNamespaceOfProcess, socketInNamespace } from "@hawser/linux";
import { ask } from "./kit-http.ts";
import { useOwnEngine } from "./kit-own-engine.ts";
import { runCommand, runCommandOk } from "./kit-process.ts";

/** What a user runs: this file starts an engine thirty times. */
const own = useOwnEngine();
const { ok, refused } = own;
/** Of this file alone: other engines of this machine have bridges, too. */
const mark = randomBytes(2).toString("hex");

const byText = (one: string = "", other: string = "") => one.localeCompare(other, "en");

let before: Awaited<ReturnType<typeof pictureOf>>;

/** What networks and containers leave on the host, and in the engine. */
async function pictureOf() {
  const rules = await runCommandOk(["nft", "list", "table", "inet", own.engine.nftTable]);
  const { stdout: routes } = await runCommand(["ip", "route", "show", "table", "all"]);
  const { stdout: routes6 } = await runCommand(["ip", "-6", "route", "show", "table", "all"]);
  const fds = await readdir(`/proc/${own.engine.pid()}/fd`);
  const targets = await Promise.all(
    fds.map((fd) => readlink(`/proc/${own.engine.pid()}/fd/${fd}`).catch(() => "")),
  );
  const isOurs = (line: string) => line.includes(` f${mark}`);
  const home = await readlink(`/proc/${own.engine.pid()}/ns/net`);
  return {
    rules,
    bridges: await bridges(),
    routes: `${routes}${routes6}`.split("\n").filter(isOurs),
    // Its own is held by threads that go to others and come back.
    namespaces: targets.filter((target) => target.startsWith("net:[") && target !== home).length,
  };
}

const nameOf = (number: number) => `f${mark}${number}`;
const creation = (number: number) =>
  ["network", "create", "-o", `com.docker.network.bridge.name=${nameOf(number)}`, nameOf(number)] as const;

/** One call of the API, whose failure is a result: a client's start would take longer than what it asks for. */
const call = async (what: string, body?: unknown) =>
  await ask(own.engine.socket, what, body === undefined ? {} : { body });
const makeNetwork = (name: string) =>
  call("POST /networks/create", { Name: name, Options: { "com.docker.network.bridge.name": name } });
const removeNetwork = (name: string) => call(`DELETE /networks/${name}`);
const connect = (name: string) => call(`POST /networks/${name}/connect`, { Container: "moved" });
const disconnect = (name: string) => call(`POST /networks/${name}/disconnect`, { Container: "moved" });
/** All of them, none of which may fail. */
async function all(calls: readonly ReturnType<typeof call>[]): Promise<void> {
  for (const { status, text } of await Promise.all(calls)) assert.ok(status < 300, text);
}

async function bridges(): Promise<readonly string[]> {
  const links = JSON.parse(await runCommandOk(["ip", "-j", "link", "show", "type", "bridge"])) as {
    readonly ifname: string;
  }[];
  return links
    .map(({ ifname }) => ifname)
    .filter((name) => name.startsWith(`f${mark}`))
    .toSorted(byText);
}

const networks = async () =>
  (await ok("network", "ls", "--format", "{{.Name}}"))
    .split("\n")
    .filter((name) => name.startsWith(`f${mark}`))
    .toSorted(byText);

/** From 4 to 128 ms: some are in the middle of things, whether the machine is quick or busy. */
const delayOf = (round: number) => 4 * 2 ** round;

/** Ends the engine at some moment of `work`, whose outcome nobody knows then, and starts it again. */
async function killDuring(delayMs: number, work: readonly Promise<unknown>[]): Promise<void> {
  const settled = Promise.allSettled(work);
  await wait(delayMs);
  await own.engine.kill();
  await settled;
  await own.engine.start();
}

/** Since the stock of namespaces with names is made when the first is wanted. */
async function useNetwork(): Promise<void> {
  await ok(...creation(130));
  await ok("run", "--rm", "--network", nameOf(130), "busybox", "true");
  await ok("network", "rm", nameOf(130));
}

test("before: what there is once a network has been used", async () => {
  await useNetwork();
  // The stocks of namespaces are full when their number no longer changes, however busy the machine is.
  const counts: number[] = [];
  await eventually(async () => {
    before = await pictureOf();
    counts.push(before.namespaces);
    await wait(300);
    return counts.length > 3 && new Set(counts.slice(-4)).size === 1;
  });
});

describe("an engine that is killed", () => {
  test("while networks are made and removed: each is there as a whole, or not at all", async () => {
    for (let round = 0; round < 6; round++) {
      const numbers = Array.from({ length: 8 }, (_, index) => round * 8 + index);
      await killDuring(
        delayOf(round),
        numbers.map((number) => makeNetwork(nameOf(number))),
      );
      const made = await networks();
      assert.deepEqual(await bridges(), made, `round ${round}, making`);
      await killDuring(delayOf(round), made.map(removeNetwork));
      const left = await networks();
      assert.deepEqual(await bridges(), left, `round ${round}, removing`);
      await all(left.map(removeNetwork));
      assert.deepEqual(await bridges(), []);
    }
  });

  test("while containers come onto networks and leave them: what is told of them is what they have", async () => {
    const names = [61, 62, 63, 64, 65].map(nameOf);
    const [first = "", ...others] = names;
    await all(names.map(makeNetwork));
    await ok("run", "-d", "--name", "moved", "--network", first, "busybox", "sleep", "1000");
    for (let round = 0; round < 6; round++) {
      await killDuring(delayOf(round), others.map(connect));
      await asTold();
      await killDuring(delayOf(round), others.map(disconnect));
      const on = await asTold();
      await all(others.filter((name) => on.includes(name)).map(disconnect));
      assert.deepEqual(await asTold(), [first]);
      await all(others.map(connect));
      assert.equal((await asTold()).length, names.length);
      await all(others.map(disconnect));
    }
    await ok("rm", "-f", "moved");
    await all(names.map(removeNetwork));
  });

  /** The networks that a container is said to be on, each with an interface of that address. */
  async function asTold(): Promise<readonly string[]> {
    const told = JSON.parse(
      await ok("inspect", "-f", "{{json .NetworkSettings.Networks}}", "moved"),
    ) as Record<string, { readonly IPAddress: string }>;
    const inside = await ok("exec", "moved", "ip", "-4", "-o", "address", "show", "scope", "global");
    const addresses = [...inside.matchAll(/inet ([\d.]+)\//g)].map(([, address]) => address).toSorted(byText);
    assert.deepEqual(
      addresses,
      Object.values(told)
        .map(({ IPAddress }) => IPAddress)
        .toSorted(byText),
    );
    return Object.keys(told);
  }
});

describe("something that goes wrong", () => {
  test("an interface that somebody deletes: the container runs on, ends, and starts with another", async () => {
    await ok(...creation(101));
    await ok("run", "-d", "--name", "cut", "--network", nameOf(101), "busybox", "sleep", "1000");
    const links = await runCommandOk(["ip", "-o", "link", "show", "master", nameOf(101)]);
    const [, veth = ""] = /^\d+: ([^@:]+)/.exec(links) ?? [];
    await runCommandOk(["ip", "link", "delete", veth]);
    assert.equal(await ok("exec", "cut", "echo", "here"), "here");
    await ok("network", "disconnect", nameOf(101), "cut");
    await ok("network", "connect", nameOf(101), "cut");
    assert.match(await ok("exec", "cut", "ip", "-4", "-o", "address"), /eth0/);
    await runCommandOk(["ip", "link", "delete", await vethOn(nameOf(101))]);
    await ok("restart", "-t", "0", "cut");
    assert.match(await ok("exec", "cut", "ip", "-4", "-o", "address"), /eth0/);
    await ok("rm", "-f", "cut");
    await ok("network", "rm", nameOf(101));
  });

  test("addresses that run out: who comes too late is told, and gets the first that is free", async () => {
    await ok(
      "network",
      "create",
      "-o",
      `com.docker.network.bridge.name=${nameOf(102)}`,
      "--subnet",
      "10.98.7.0/30",
      nameOf(102),
    );
    await ok("run", "-d", "--name", "first", "--network", nameOf(102), "busybox", "sleep", "1000");
    const late = ["run", "-d", "--name", "late", "--network", nameOf(102), "busybox", "sleep", "1000"];
    assert.match(await refused(...late), /no available IPv4 addresses on this network's address pools/);
    await ok("rm", "-f", "first");
    await ok("start", "late");
    assert.equal(
      await ok("inspect", "-f", `{{.NetworkSettings.Networks.${nameOf(102)}.IPAddress}}`, "late"),
      "10.98.7.2",
    );
    await ok("rm", "-f", "late");
    await ok("network", "rm", nameOf(102));
  });

  test("subnets that run out: of many who come at once one gets the last, and the others leave nothing", async () => {
    const restart = async (...flags: readonly string[]) => {
      await own.engine.stop();
      await own.engine.start(flags);
    };
    await restart("--default-address-pool", "base=10.98.8.0/25,size=26");
    await ok(...creation(120));
    const results = await Promise.all(
      [121, 122, 123, 124].map((number) => own.engine.docker(creation(number))),
    );
    const failed = results.filter(({ exitCode }) => exitCode !== 0);
    assert.equal(failed.length, 3);
    for (const { stderr } of failed)
      assert.match(stderr, /all predefined address pools have been fully subnetted/);
    const made = await networks();
    assert.equal(made.length, 2);
    assert.deepEqual(await bridges(), made);
    await ok("network", "rm", nameOf(120));
    await ok(...creation(125));
    await ok("network", "rm", ...(await networks()));
    await restart();
  });

  test("a name server that never answers, and one that is not there, hold up no name of the network", async () => {
    await ok(...creation(110));
    const on = ["run", "-d", "--network", nameOf(110)] as const;
    await ok(...on, "--name", "silent", "busybox", "sleep", "1000");
    // It takes questions and says nothing; a port that is closed would be told by the kernel.
    const pid = Number(await ok("inspect", "-f", "{{.State.Pid}}", "silent"));
    const namespaceFd = openNamespaceOfProcess(pid);
    const unread = socketInNamespace({ namespaceFd, protocol: "udp", address: "0.0.0.0", port: 53 });
    closeSync(namespaceFd);
    const silent = await ok(
      "inspect",
      "-f",
      `{{(index .NetworkSettings.Networks "${nameOf(110)}").IPAddress}}`,
      "silent",
    );
    await ok(...on, "--name", "asking", "--dns", silent, "--dns", "127.0.0.1", "busybox", "sleep", "1000");
    const strangers = Array.from({ length: 20 }, (_, index) =>
      own.engine.docker(["exec", "asking", "nslookup", `stranger${index}.example.`]),
    );
    for (let round = 0; round < 5; round++) {
      assert.match(
        await ok("exec", "asking", "nslookup", "silent"),
        new RegExp(silent.replaceAll(".", "\\.")),
      );
    }
    for (const { exitCode, stdout, stderr } of await Promise.all(strangers)) {
      assert.notEqual(exitCode, 0, stdout + stderr);
    }
    closeSync(unread);
    await ok("rm", "-f", "asking", "silent");
    await ok("network", "rm", nameOf(110));
  });

  test("100 containers at once on one network have an address each, and leave nothing", async () => {
    await ok(...creation(103));
    const names = Array.from({ length: 100 }, (_, index) => `many${index}`);
    const started = await Promise.all(
      names.map((name) =>
        own.engine.docker(
          ["run", "-d", "--name", name, "--network", nameOf(103), "busybox", "sleep", "1000"],
          {
            timeoutMs: 120_000,
          },
        ),
      ),
    );
    for (const { exitCode, stderr } of started) assert.equal(exitCode, 0, stderr);
    const format = `{{(index .NetworkSettings.Networks "${nameOf(103)}").IPAddress}}`;
    const addresses = (await ok("inspect", "-f", format, ...names)).split("\n");
    assert.equal(new Set(addresses).size, 100);
    assert.match(await ok("exec", "many0", "nslookup", "many99"), new RegExp(`${addresses[99]}`));
    await ok("rm", "-f", ...names);
    await eventually(
      async () => (await runCommand(["ip", "-o", "link", "show", "master", nameOf(103)])).stdout === "",
      { deadlineMs: 60_000, what: "no interface is left" },
    );
    await ok("network", "rm", nameOf(103));
  });

  async function vethOn(bridge: string): Promise<string> {
    const links = await runCommandOk(["ip", "-o", "link", "show", "master", bridge]);
    return /^\d+: ([^@:]+)/.exec(links)?.[1] ?? "";
  }
});

test("afterwards there is no interface, rule, route or namespace that was not there before", async () => {
  assert.deepEqual(await networks(), []);
  await useNetwork();
  await eventually(
    async () => {
      assert.deepEqual(await pictureOf(), before);
      return true;
    },
    { what: "all is as before" },
  );
});
