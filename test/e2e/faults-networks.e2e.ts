import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { eventually } from "@hawser/base/testing";
import { useOwnEngine } from "./kit-own-engine.ts";
import { runCommand, runCommandOk } from "./kit-process.ts";

const own = useOwnEngine();
const { ok, refused } = own;
/** Of this file alone: other engines of this machine have bridges, too. */
const mark = randomBytes(2).toString("hex");

const byText = (one: string = "", other: string = "") => one.localeCompare(other, "en");

after(async () => {
  assert.deepEqual(await bridges(), []);
});

const nameOf = (number: number) => `f${mark}${number}`;
const creation = (number: number) =>
  ["network", "create", "-o", `com.docker.network.bridge.name=${nameOf(number)}`, nameOf(number)] as const;

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

/** Ends the engine at some moment of `work`, whose outcome nobody knows then, and starts it again. */
async function killDuring(delayMs: number, work: readonly Promise<unknown>[]): Promise<void> {
  await wait(delayMs);
  await own.engine.kill();
  await Promise.allSettled(work);
  await own.engine.start();
}

describe("an engine that is killed", () => {
  test("while networks are made and removed: each is there as a whole, or not at all", async () => {
    for (let round = 0; round < 6; round++) {
      const numbers = Array.from({ length: 8 }, (_, index) => round * 8 + index);
      await killDuring(
        60 + round * 40,
        numbers.map((number) => own.engine.docker(creation(number))),
      );
      const made = await networks();
      assert.deepEqual(await bridges(), made, `round ${round}, making`);
      await killDuring(
        60 + round * 25,
        made.map((name) => own.engine.docker(["network", "rm", name])),
      );
      const left = await networks();
      assert.deepEqual(await bridges(), left, `round ${round}, removing`);
      if (left.length > 0) await ok("network", "rm", ...left);
      assert.deepEqual(await bridges(), []);
    }
  });

  test("while containers come onto networks and leave them: what is told of them is what they have", async () => {
    const all = [61, 62, 63, 64, 65];
    for (const number of all) await ok(...creation(number));
    await ok("run", "-d", "--name", "moved", "--network", nameOf(61), "busybox", "sleep", "1000");
    for (let round = 0; round < 6; round++) {
      const others = all.slice(1).map(nameOf);
      await killDuring(
        50 + round * 25,
        others.map((name) => own.engine.docker(["network", "connect", name, "moved"])),
      );
      await asTold();
      await killDuring(
        50 + round * 20,
        others.map((name) => own.engine.docker(["network", "disconnect", name, "moved"])),
      );
      const on = await asTold();
      for (const name of others) if (on.includes(name)) await ok("network", "disconnect", name, "moved");
      assert.deepEqual(await asTold(), [nameOf(61)]);
      for (const name of others) await ok("network", "connect", name, "moved");
      assert.equal((await asTold()).length, all.length);
      for (const name of others) await ok("network", "disconnect", name, "moved");
    }
    await ok("rm", "-f", "moved");
    await ok("network", "rm", ...all.map(nameOf));
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
    await ok(...on, "--name", "silent", "busybox", "sh", "-c", "while :; do nc -u -l -p 53 >/dev/null; done");
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
      {
        what: "no interface is left",
      },
    );
    await ok("network", "rm", nameOf(103));
  });

  async function vethOn(bridge: string): Promise<string> {
    const links = await runCommandOk(["ip", "-o", "link", "show", "master", bridge]);
    return /^\d+: ([^@:]+)/.exec(links)?.[1] ?? "";
  }
});
