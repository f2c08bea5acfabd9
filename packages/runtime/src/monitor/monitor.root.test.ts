import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { unlink, writeFile } from "node:fs/promises";
import { createServer, Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { connectUnix, releaseSocket } from "@hawser/linux";
import { formatRuntimeSpec } from "@hawser/oci";
import type { ContainerConfig } from "../container-config.ts";
import { readLog } from "../logs/read-log.ts";
import { buildExecProcess } from "../spec/process.ts";
import { makeConfig, makeHostConfig } from "../testing/container-config.ts";
import { ContainerRig, type RigContainer } from "../testing/container-rig.ts";

let rig: ContainerRig;
before(async () => {
  rig = await ContainerRig.open();
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

const all = { stdin: true, stdout: true, stderr: true, format: "raw" } as const;
const shell = (script: string, config: Partial<ContainerConfig> = {}) => ({
  config: { cmd: ["sh", "-c", script], ...config },
});

test("an attach that came before the start misses nothing", async () => {
  const { monitor } = await rig.start({ ...shell("echo out; echo err >&2"), start: { attachCount: 1 } });
  await monitor.listening;
  const stream = await monitor.openAttach({ ...all, stdin: false, format: "frames" });
  await monitor.started;
  const bytes = Buffer.concat(await stream.toArray());
  const frame = (type: number, line: string) =>
    Buffer.from([type, 0, 0, 0, 0, 0, 0, line.length, ...Buffer.from(line)]);
  const frames = [frame(1, "out\n"), frame(2, "err\n")];
  assert.ok([frames, frames.toReversed()].some((order) => Buffer.concat(order).equals(bytes)));
});

test("the end of an attached client's input is the end of the process' input; output goes on", async () => {
  const { monitor } = await rig.start({
    ...shell("cat; echo after", { openStdin: true, stdinOnce: true }),
    start: { attachCount: 1 },
  });
  const stream = await monitor.openAttach({ ...all, initial: Buffer.from("first ") });
  stream.end("second\n");
  assert.equal(await text(stream), "first second\nafter\n");
  assert.equal((await monitor.exited).code, 0);
});

test("a client is handed over whole, with what was already read from it", async () => {
  const { monitor } = await rig.start({
    ...shell("cat", { openStdin: true, stdinOnce: true }),
    start: { attachCount: 1 },
  });
  await using pair = await connectedPair();
  pair.client.write("early ");
  await once(pair.server, "readable");
  const { fd, unread } = await releaseSocket(pair.server);
  await monitor.handOver(fd, { ...all, initial: unread });
  closeSync(fd);
  pair.client.end("late");
  assert.equal(await text(pair.client), "early late");
});

test("a terminal: its size, a new size, and its output with carriage returns", async () => {
  const { monitor } = await rig.start({
    ...shell("tty; stty size; read line; stty size", { tty: true, openStdin: true }),
    start: { attachCount: 1, height: 30, width: 90 },
  });
  const stream = await monitor.openAttach(all);
  let output = "";
  stream.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await eventually(() => output.includes("30 90"));
  await monitor.resize({ height: 40, width: 100 });
  stream.write("\n");
  await monitor.exited;
  await eventually(() => output.includes("40 100\r\n"));
  assert.match(output, /^\/dev\/pts\/0\r\n/);
});

test("the detach keys of a terminal let go of the client, not of the process", async () => {
  const { monitor } = await rig.start({
    config: { cmd: ["cat"], tty: true, openStdin: true },
    start: { attachCount: 1 },
  });
  const stream = await monitor.openAttach({ ...all, detachKeys: Buffer.from([16, 17]) });
  stream.write(Buffer.from([16, 17]));
  stream.resume();
  await once(stream, "end");
  await monitor.started;
  await monitor.kill(9);
  assert.equal((await monitor.exited).code, 137);
});

test("a container without a terminal has no size", async () => {
  const { monitor } = await rig.start();
  await monitor.started;
  await assert.rejects(monitor.resize({ height: 1, width: 1 }), {
    kind: "conflict",
    message: "Cannot resize the terminal: it has no terminal",
  });
  await assert.rejects(monitor.kill(9, { exec: "nope" }), { kind: "not-found" });
});

test("a log that was moved away is written anew", async () => {
  const { monitor, logPath } = await rig.start(shell("echo a; read x; echo b", { openStdin: true }));
  await monitor.started;
  const logged = async () => (await Array.fromAsync(readLog(logPath))).map((entry) => entry.text);
  await eventually(async () => (await logged()).includes("a\n"));
  await unlink(logPath);
  await monitor.reopenLog();
  const stream = await monitor.openAttach(all);
  stream.write("\n");
  await monitor.exited;
  assert.deepEqual(await logged(), ["b\n"]);
});

async function processFile(
  container: RigContainer,
  request: { readonly cmd: readonly string[]; readonly tty?: boolean },
) {
  const process = buildExecProcess({
    config: makeConfig(),
    hostConfig: makeHostConfig(),
    exec: { env: ["A=exec"], workingDir: "", privileged: false, tty: false, ...request },
    user: { uid: 1000, gid: 1000, additionalGids: [], home: "/home/alice" },
    host: rig.host,
  });
  const path = join(container.dir, `process-${request.cmd[0]?.replaceAll("/", "-")}.json`);
  await writeFile(path, formatRuntimeSpec(process));
  return path;
}

test("an exec with its streams, its user and its exit code", async () => {
  const container = await rig.start();
  const { monitor } = container;
  await monitor.started;
  const exits = new Map<string, number>();
  monitor.onExecExit((id, code) => exits.set(id, code));
  const process = await processFile(container, {
    cmd: ["sh", "-c", "cat; id -u; echo $A; grep Seccomp: /proc/self/status; exit 9"],
  });
  const { pid, stream } = await monitor.openExec("e1", { ...all, process, tty: false });
  assert.ok(pid > 0);
  stream.end("in ");
  assert.equal(await text(stream), "in 1000\nexec\nSeccomp:\t2\n");
  await eventually(() => exits.get("e1") === 9);
});

test("an exec for nobody, and signals to it", async () => {
  const container = await rig.start();
  const { monitor } = container;
  await monitor.started;
  const ended = Promise.withResolvers<number>();
  monitor.onExecExit((_id, code) => ended.resolve(code));
  const process = await processFile(container, { cmd: ["sleep", "1000"] });
  const { pid } = await monitor.exec("e2", { ...all, process, tty: false });
  assert.ok(pid > 0);
  await monitor.kill(15, { exec: "e2" });
  assert.equal(await ended.promise, 143);
});

test("an exec that cannot run says why in Docker's words", async () => {
  const container = await rig.start();
  await container.monitor.started;
  for (const [cmd, words] of [
    ["nope", 'exec: "nope": executable file not found in $PATH'],
    ["/bin/noexec", 'exec: "/bin/noexec": permission denied'],
  ] as const) {
    const process = await processFile(container, { cmd: [cmd] });
    await assert.rejects(container.monitor.openExec(`e-${cmd.length}`, { ...all, process, tty: false }), {
      kind: "invalid-argument",
      message: `OCI runtime exec failed: exec failed: unable to start container process: ${words}: unknown`,
    });
  }
});

test("when the container has ended there is nothing to attach to", async () => {
  const { monitor } = await rig.start(shell("true"));
  await monitor.gone;
  await assert.rejects(monitor.openAttach(all), { kind: "unavailable" });
  await assert.rejects(monitor.kill(9), { kind: "unavailable" });
});

test("a wait for streams can be called off", async () => {
  const { monitor } = await rig.start();
  await monitor.started;
  await assert.rejects(monitor.openAttach({ ...all, signal: AbortSignal.abort(new Error("gone")) }), {
    message: "gone",
  });
});

/** A connection over a unix socket, both ends. */
async function connectedPair(): Promise<
  AsyncDisposable & { readonly client: Duplex; readonly server: Socket }
> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const path = join(rig.root, "pair.sock");
  server.listen(path);
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = new Socket({ fd: connectUnix(path), readable: true, writable: true, allowHalfOpen: true });
  const [socket] = (await accepted) as [Socket];
  return {
    client,
    server: socket,
    async [Symbol.asyncDispose]() {
      client.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
