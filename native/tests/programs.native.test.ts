import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { copyFile, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { FrameSocket } from "./testing/frame-socket.ts";
import { buildPrograms, openStream, Rig, released, sanitized } from "./testing/rig.ts";

before(() => {
  buildPrograms();
});

test("hello says that it works, and is next to nothing", () => {
  const { status, stdout } = spawnSync(released.hello, { encoding: "utf8" });
  assert.equal(status, 0);
  assert.ok(
    stdout.startsWith(
      "\nHello from Hawser!\nThis message shows that your installation appears to be working correctly.\n",
    ),
  );
  for (const step of [" 1. ", " 2. ", " 3. ", " 4. "]) assert.ok(stdout.includes(step));
  assert.ok(statSync(released.hello).size < 4096);
  assert.equal(spawnSync("sh", ["-c", `${released.hello} > /dev/full`]).status, 1);
});

test("the launcher explains itself", () => {
  for (const args of [[], ["--socket"], ["--socket", "relative", "--version-string", "1"], ["--what", "x"]]) {
    const { status, stderr } = spawnSync(sanitized.launcher, args, { encoding: "utf8" });
    assert.equal(status, 2);
    assert.match(
      stderr,
      /^usage: hawser-launcher --socket <path> --version-string <text> \[--preload <program>\]\.\.\.\n$/,
    );
  }
});

test("a preloaded runtime is started from its sealed copy, until its file is another", async () => {
  await using rig = await Rig.open();
  await rig.killLauncher();
  const [shell, script] = [join(rig.dir, "shell"), join(rig.dir, "script")];
  await copyFile("/bin/sh", shell);
  await writeFile(script, "#!/bin/sh\nexit 5\n", { mode: 0o755 });
  await rig.launch([shell, script, "/usr/bin/crun"]);
  const failure = async (runtime: string, ...args: string[]) => {
    const container = await rig.start({ args: ["true"], fields: { runtime, "runtime-arg": args } });
    return (await container.control.wait("failed"))["message"];
  };
  const where = ["-c", "readlink /proc/$$/exe >&2; echo more >>/proc/$$/exe; exit 4"];
  assert.match((await failure(shell, ...where)) ?? "", /^\/memfd:shell \(deleted\)\n.*cannot create/);
  assert.equal(await failure(script), "The runtime ended with exit code 5");
  await copyFile("/bin/sh", `${shell}.new`);
  await rename(`${shell}.new`, shell);
  assert.equal(await failure(shell, "-c", "readlink /proc/$$/exe >&2; exit 4"), `${shell}\n`);

  // the real one counts on it
  const container = await rig.run({ args: ["true"] });
  assert.equal((await container.control.wait("exited"))["code"], "0");
});

test("init ends as its program ends", () => {
  const status = (...args: string[]) => spawnSync(sanitized.init, args, { encoding: "utf8" });
  assert.equal(status("true").status, 0);
  assert.equal(status("--", "sh", "-c", "exit 7").status, 7);
  assert.equal(status("sh", "-c", "kill -9 $$").status, 137);
  const missing = status("no-such-program");
  assert.equal(missing.status, 127);
  assert.equal(missing.stderr, "hawser-init: no-such-program: No such file or directory\n");
  assert.equal(status("/etc/passwd").status, 126);
  assert.equal(status().status, 127);
});

/** What a child has written, once it is `enough`. */
function output(child: ChildProcess): () => string {
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return () => text;
}

test("init hands signals on, and reaps orphans", async () => {
  const script = `
    trap 'echo got term' TERM
    trap 'echo got usr1; exit 4' USR1
    (sleep 0.01 & exec true)
    echo ready
    while :; do sleep 0.01; done`;
  const child = spawn(sanitized.init, ["sh", "-c", script], { stdio: ["ignore", "pipe", "inherit"] });
  const text = output(child);
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  await eventually(() => text().includes("ready"));
  child.kill("SIGTERM");
  await eventually(() => text().includes("got term"));
  const zombies = () =>
    readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8")
      .split(" ")
      .filter((pid) => pid !== "" && / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))).length;
  await eventually(() => zombies() === 0);
  child.kill("SIGUSR1");
  assert.equal(await exit, 4);
  assert.ok(text().includes("got usr1"));
});

test("under init, a terminal's interrupt reaches the program, and only it", async () => {
  await using rig = await Rig.open(released.launcher);
  await copyFile(released.init, join(rig.root, "bin/hawser-init"));
  const script = "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.01; done";
  const container = await rig.start({
    args: ["hawser-init", "--", "sh", "-c", script],
    tty: true,
    fields: { stdin: true, attach: 1 },
  });
  await container.control.wait("listening");
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  await client.read((text) => text.includes("ready"));
  client.socket.write("\x03");
  assert.match((await client.readAll()).toString(), /interrupted/);
  assert.equal((await container.control.wait("exited"))["code"], "5");
  await rig.expectGone(container);
});

test("the launcher works in a root that was entered with chroot", async () => {
  await using folder = await openTempDir("hn-");
  const inner = join(folder.path, "inner");
  for (const name of ["proc", "dev", "x"]) await mkdir(join(inner, name), { recursive: true });
  await copyFile(released.launcher, join(inner, "launcher"));
  const script = `mount -t proc proc ${inner}/proc && mount --bind /dev ${inner}/dev &&
    exec chroot ${inner} /launcher --socket /x/launcher.sock --version-string inner`;
  const launcher = spawn("unshare", ["--mount", "sh", "-c", script], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => launcher.once("exit", resolve));
  const path = join(inner, "x/launcher.sock");
  const ask = async (kind: string) => {
    using socket = await FrameSocket.open(path);
    socket.send(kind);
    return (await socket.next())?.kind;
  };
  await eventually(async () => (await ask("ping")) === "pong");
  const mountinfo = readFileSync(`/proc/${launcher.pid}/mountinfo`, "utf8");
  assert.ok(mountinfo.split("\n").some((line) => line.split(" ")[4] === "/"));
  assert.equal(await ask("shutdown"), "done");
  assert.equal(await ended, 0);
  assert.equal(existsSync(path), false);
});

test("an idle monitor, as released, has a PSS of 0.2 MB at most", async () => {
  await using rig = await Rig.open(released.launcher);
  const container = await rig.start({ args: ["sh", "-c", "seq 1 10000; exec sleep 1000"] });
  const monitor = (await container.control.wait("listening"))["monitor"];
  await container.control.wait("started");
  const pss = () => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${monitor}/smaps_rollup`, "utf8"))?.[1]);
  await eventually(() => pss() <= 200, { what: "at most 200 KiB" });
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
});
