import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, statSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectUnix, openNetworkNamespace, sendWithDescriptors } from "@hawser/linux";
import { encodeFrame, FrameSocket } from "./testing/frame-socket.ts";
import { buildPrograms, openStream, Rig, readLog } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  buildPrograms();
  rig = await Rig.open();
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

test("a container runs, its exit code is told and recorded, and nothing of it is left", async () => {
  const container = await rig.start({
    args: ["sh", "-c", "echo out; echo err >&2; exit 3"],
    fields: { durable: true },
  });
  const listening = await container.control.next();
  assert.equal(listening?.kind, "listening");
  const started = await container.control.next();
  assert.equal(started?.kind, "started");
  assert.match(started["pid"] ?? "", /^\d+$/);
  const exited = await container.control.next();
  assert.equal(exited?.kind, "exited");
  assert.deepEqual([exited["code"], exited["signal"], exited["oom"]], ["3", "0", "0"]);
  await rig.expectGone(container);
  const record = await readFile(join(container.state, "exit"), "utf8");
  assert.equal(record, `code=3 signal=0 oom=0 exited-at=${exited["exited-at"]}\n`);
  const log = await readLog(join(container.state, "json.log"));
  assert.deepEqual(log.map(({ log: text, stream }) => `${stream}: ${text}`).toSorted(), [
    "stderr: err\n",
    "stdout: out\n",
  ]);
  for (const { time } of log) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  const age = Date.now() - Date.parse(log[0]?.time ?? "");
  assert.ok(age >= -1 && age < 60_000, `an entry is ${age} ms old`);
});

test("a signal ends the first process: the code is 128 more", async () => {
  const container = await rig.run({
    args: ["sh", "-c", "trap 'echo no' TERM; while :; do sleep 0.01; done"],
  });
  assert.equal((await container.control.command("kill", { signal: 9 })).kind, "done");
  const exited = await container.control.wait("exited");
  assert.deepEqual([exited["code"], exited["signal"]], ["137", "9"]);
  await rig.expectGone(container);
});

test("commands that make no sense are refused", async () => {
  const container = await rig.run({ args: ["sleep", "1000"] });
  const refusal = async (kind: string, fields = {}) =>
    (await container.control.command(kind, fields))["code"];
  assert.equal(await refusal("resize", { height: 1, width: 1 }), "no-tty");
  assert.equal(await refusal("kill", { signal: 9, exec: "none" }), "no-such-exec");
  assert.equal(await refusal("kill", { signal: 99 }), "system");
  assert.equal(await refusal("kill"), "system");
  assert.equal(await refusal("dance"), "system");
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
});

test("a program that is not there: the runtime's words, and nothing is left", async () => {
  const container = await rig.start({ args: ["no-such-program"] });
  const failed = await container.control.wait("failed");
  assert.equal(failed["stage"], "runtime");
  assert.match(failed["message"] ?? "", /no-such-program/);
  assert.equal(await container.control.next(), undefined);
  assert.equal(existsSync(join(container.dir, "runtime")), false);
  assert.equal(existsSync(join(container.dir, "monitor.sock")), false);
  for (const cgroup of container.cgroups) assert.equal(existsSync(cgroup), false);
  assert.equal(existsSync(join(container.state, "exit")), false);
});

test("a runtime that is not there", async () => {
  const container = await rig.start({ args: ["true"], fields: { runtime: "/no/runtime" } });
  const failed = await container.control.wait("failed");
  assert.equal(failed["message"], "Cannot run /no/runtime: No such file or directory");
});

test("a runtime that fails without a word in its log is quoted from its standard error", async () => {
  const container = await rig.start({
    args: ["true"],
    fields: { runtime: "/bin/sh", "runtime-arg": ["-c", "echo alas >&2; exit 4"] },
  });
  assert.equal((await container.control.wait("failed"))["message"], "alas\n");
  const silent = await rig.start({ args: ["true"], fields: { runtime: "/bin/false" } });
  assert.equal((await silent.control.wait("failed"))["message"], "The runtime ended with exit code 1");
});

test("a layer that is not there", async () => {
  const container = await rig.start({ args: ["true"], fields: { lower: "/no/layer" } });
  const failed = await container.control.wait("failed");
  assert.equal(failed["stage"], "mount");
  assert.match(
    failed["message"] ?? "",
    /^Cannot mount overlay at .*\/rootfs: No such file or directory \(.*\/no\/layer/,
  );
});

test("the root is an overlay of all layers, topmost first, and writes go to the upper folder", async () => {
  const layers: string[] = [];
  for (let number = 0; number < 130; number++) {
    const layer = join(rig.dir, "layers", String(number), "diff");
    await mkdir(layer, { recursive: true });
    await writeFile(join(layer, "top"), String(number));
    await writeFile(join(layer, `only-${number}`), "");
    layers.push(layer);
  }
  const container = await rig.start({
    args: ["sh", "-c", "cat /top; ls / | grep -c only; echo new > /written"],
    fields: { lower: [...layers, rig.root] },
  });
  await container.control.wait("exited");
  await rig.expectGone(container);
  const log = await readLog(join(container.state, "json.log"));
  assert.equal(log.map((entry) => entry.log).join(""), "0130\n");
  assert.equal(await readFile(join(container.state, "diff/written"), "utf8"), "new\n");
});

test("layers whose paths are too long for the new mount interface are mounted the old way", async () => {
  const deep = join(rig.dir, "d".repeat(200), "e".repeat(200));
  const layers: string[] = [];
  for (let number = 0; number < 120; number++) {
    const layer = join(deep, String(number));
    await mkdir(layer, { recursive: true });
    await writeFile(join(layer, `only-${number}`), "");
    layers.push(layer);
  }
  const upper = join(deep, "upper");
  const work = join(deep, "work");
  const base = join(deep, "base");
  await mkdir(upper);
  await mkdir(work);
  await rename(rig.root, base);
  const container = await rig.start({
    args: ["sh", "-c", "ls / | grep -c only; touch /written"],
    fields: { lower: [...layers, base], upper, work },
  });
  await container.control.wait("exited");
  await rig.expectGone(container);
  await rename(base, rig.root);
  const log = await readLog(join(container.state, "json.log"));
  assert.equal(log[0]?.log, "120\n");
  assert.ok(existsSync(join(upper, "written")));
});

test("without an upper folder the root is read-only", async () => {
  const another = join(rig.dir, "another");
  await mkdir(another);
  for (const lower of [[rig.root], [another, rig.root]]) {
    const container = await rig.start({
      args: ["sh", "-c", "touch /x; echo $?"],
      fields: { lower, upper: undefined, work: undefined, "overlay-option": undefined },
    });
    const exited = await container.control.wait("exited");
    assert.equal(exited["code"], "0");
    await rig.expectGone(container);
    const log = await readLog(join(container.state, "json.log"));
    assert.deepEqual(log.map((entry) => entry.log).toSorted(), ["1\n", "touch: /x: Read-only file system\n"]);
  }
});

test("without layers the folder is the root already", async () => {
  const container = await rig.start({
    args: ["echo", "here"],
    fields: { lower: undefined, upper: undefined, work: undefined, "overlay-option": undefined },
    configure: (config) => {
      config.root["path"] = rig.root;
    },
  });
  await container.control.wait("exited");
  await container.control.wait("gone");
  assert.equal((await readLog(join(container.state, "json.log")))[0]?.log, "here\n");
});

test("the host sees nothing of a running container's root", async () => {
  const container = await rig.run({ args: ["sleep", "1000"] });
  assert.equal((await readFile("/proc/self/mountinfo", "utf8")).includes(container.dir), false);
  assert.equal(existsSync(join(container.dir, "rootfs/bin")), false);
  const launcher = await readFile(`/proc/${rig.launcherPid}/mountinfo`, "utf8");
  assert.equal(launcher.includes(container.dir), false);
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
});

test("a container gets nothing from us but its streams", async () => {
  const container = await rig.start({
    args: ["sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; grep -E 'SigBlk|SigIgn' /proc/self/status; umask"],
  });
  await container.control.wait("exited");
  await rig.expectGone(container);
  const text = (await readLog(join(container.state, "json.log"))).map((entry) => entry.log).join("");
  // 3 is ls reading the folder.
  assert.match(text, /^0 1 2 3 SigBlk:\s0000000000000000\nSigIgn:\s0000000000000000\n0022\n$/);
});

test("the network namespace comes as a descriptor, and config.json finds it by its link", async () => {
  const namespaceFd = await openNetworkNamespace();
  const container = await rig.prepare({
    args: ["readlink", "/proc/self/ns/net"],
    configure: (config, dir) => {
      config.linux.namespaces.push({ type: "network", path: join(dir, "netns") });
    },
  });
  const fd = connectUnix(rig.socketPath);
  sendWithDescriptors(fd, encodeFrame("start", container.fields), [namespaceFd]);
  using control = new FrameSocket(new Socket({ fd, readable: true, writable: true }));
  await control.wait("exited");
  await control.wait("gone");
  const inode = statSync(`/proc/self/fd/${namespaceFd}`).ino;
  closeSync(namespaceFd);
  container.control[Symbol.dispose]();
  assert.equal((await readLog(join(container.state, "json.log")))[0]?.log, `net:[${inode}]\n`);
  assert.equal(existsSync(join(container.dir, "netns")), false);
});

test("runc does as crun does", { skip: spawnSync("runc", ["--version"]).error !== undefined }, async () => {
  const runc = { runtime: "/usr/sbin/runc", "runtime-delete": true };
  const container = await rig.start({ args: ["sh", "-c", "echo by runc; exit 7"], fields: runc });
  assert.equal((await container.control.wait("exited"))["code"], "7");
  await rig.expectGone(container);
  assert.equal((await readLog(join(container.state, "json.log")))[0]?.log, "by runc\n");

  const missing = await rig.start({ args: ["no-such-program"], fields: runc });
  assert.match(
    (await missing.control.wait("failed"))["message"] ?? "",
    /no-such-program.*not found in \$PATH/,
  );

  const terminal = await rig.start({ args: ["cat"], tty: true, fields: { ...runc, stdin: true, attach: 1 } });
  await terminal.control.wait("listening");
  using client = await openStream(terminal, "attach", { stdin: true, format: "raw" });
  await terminal.control.wait("started");
  client.socket.write("echoed\n\x04");
  await client.read((text) => text.includes("echoed\r\nechoed\r\n"));
  await terminal.control.wait("exited");
  await rig.expectGone(terminal);
});
