import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { before, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { sendWithDescriptors, socketPair } from "@hawser/linux";
import { buildPrograms, sanitized } from "./testing/rig.ts";

before(() => {
  buildPrograms();
});

const [first, second] = ["a".repeat(64), "b".repeat(64)] as const;

const textOf = async (stream: Readable | null) => (stream === null ? "" : await text(stream));

/** A keeper that becomes a script which tells its arguments and what is in the files that it was left. */
async function openKeeper() {
  await using dir = new AsyncDisposableStack();
  const folder = dir.use(await openTempDir("hawser-keeper-")).path;
  const [own, other] = socketPair();
  const pidFile = join(folder, "pid");
  const lock = openSync(pidFile, "w+");
  const script =
    'for each; do echo "${each%%:*}"; fds=${each#*:}; cat "/dev/fd/${fds%:*}" "/dev/fd/${fds#*:}"; done';
  const child = spawn(sanitized.keeper, ["/bin/sh", "-c", `echo "$$"; ${script}`, "sh"], {
    stdio: ["ignore", "pipe", "pipe", other, lock],
  });
  for (const fd of [other, lock]) closeSync(fd);
  const said = Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  dir.defer(() => void child.kill("SIGKILL"));
  const held = dir.move();
  return {
    pid: child.pid,
    pidFile,
    own,
    /** Files of these contents, as descriptors for a message; closed here when it is sent. */
    async hold(message: string | readonly string[], contents: readonly string[]): Promise<void> {
      const fds: number[] = [];
      for (const [index, content] of contents.entries()) {
        const path = join(folder, `${fds.length}-${content}-${index}`);
        await writeFile(path, `${content}\n`);
        fds.push(openSync(path, "r"));
      }
      const parts = typeof message === "string" ? [message] : message;
      for (const [index, part] of parts.entries())
        sendWithDescriptors(own, Buffer.from(part), index === 0 ? fds : []);
      for (const fd of fds) closeSync(fd);
    },
    /** How it, or what it has become, ended after the engine's death. */
    async end(): Promise<{ readonly stdout: string; readonly stderr: string }> {
      closeSync(own);
      const [stdout, stderr] = await said;
      return { stdout, stderr };
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

test("the keeper explains itself", () => {
  const { status, stderr } = spawnSync(sanitized.keeper, { encoding: "utf8" });
  assert.deepEqual([status, stderr], [2, "usage: hawser-keeper <program> [argument...]\n"]);
});

test("the keeper becomes the program with what it keeps, under its own process id", async () => {
  await using keeper = await openKeeper();
  await keeper.hold(`+${first}`, ["one", "two"]);
  await keeper.hold([`+${second.slice(0, 10)}`, second.slice(10)], ["three", "four"]);
  await keeper.hold(`+${first}`, ["five", "six"]);
  const { stdout, stderr } = await keeper.end();
  assert.equal(readFileSync(keeper.pidFile, "utf8"), `${keeper.pid}\n`);
  assert.deepEqual([stdout, stderr], [`${keeper.pid}\n${second}\nthree\nfour\n${first}\nfive\nsix\n`, ""]);
});

test("the keeper keeps a thousand, and lets go of what it is told", async () => {
  await using keeper = await openKeeper();
  const keys = Array.from({ length: 1000 }, (_, index) => String(index).padStart(64, "0"));
  for (const key of keys) sendWithDescriptors(keeper.own, Buffer.from(`+${key}`), [0, 0]);
  for (const key of keys.slice(1)) sendWithDescriptors(keeper.own, Buffer.from(`-${key}`), []);
  const open = () =>
    spawnSync("ls", [`/proc/${keeper.pid}/fd`], { encoding: "utf8" })
      .stdout.trim()
      .split("\n");
  await eventually(() => open().length <= 8, { what: "only one pair is left" });
  await keeper.hold(`+${keys[0]}`, ["last", "pair"]);
  const { stdout } = await keeper.end();
  assert.equal(stdout, `${keeper.pid}\n${keys[0]}\nlast\npair\n`);
});

test("the keeper with nothing to keep ends, whatever it was told", async () => {
  await using keeper = await openKeeper();
  await keeper.hold(`+${first}`, ["one", "two"]);
  await keeper.hold(`-${first}`, []);
  await keeper.hold(`-${second}`, []);
  await keeper.hold(`+${second}`, []); // without descriptors
  await keeper.hold(`+${second}`, ["one"]);
  assert.deepEqual(await keeper.end(), { stdout: "", stderr: "" });
});

test("the keeper lets go of what it was left by accident: a namespace would never end", async () => {
  await using dir = await openTempDir("hawser-keeper-");
  const [own, other] = socketPair();
  const pidFile = join(dir.path, "pid");
  const given = [other, openSync(pidFile, "w+"), openSync("/proc/self/ns/net", "r")];
  const child = spawn(sanitized.keeper, ["/bin/true"], { stdio: ["ignore", 2, 2, ...given] });
  given.forEach(closeSync);
  await eventually(() => readFileSync(pidFile, "utf8") !== "", { what: "it has begun" });
  const folder = `/proc/${child.pid}/fd`;
  const targets = readdirSync(folder).map((fd) => readlinkSync(join(folder, fd)));
  closeSync(own);
  await once(child, "close");
  assert.deepEqual(
    targets.filter((target) => target.startsWith("net:")),
    [],
  );
});

test("the keeper without a program to become says so", async () => {
  await using dir = await openTempDir("hawser-keeper-");
  const [own, other] = socketPair();
  const lock = openSync(join(dir.path, "pid"), "w+");
  const child = spawn(sanitized.keeper, ["/nonexistent"], { stdio: ["ignore", "pipe", "pipe", other, lock] });
  for (const fd of [other, lock]) closeSync(fd);
  sendWithDescriptors(own, Buffer.from(`+${first}`), [0, 0]);
  closeSync(own);
  assert.equal(await textOf(child.stderr), "/nonexistent: No such file or directory\n");
});
