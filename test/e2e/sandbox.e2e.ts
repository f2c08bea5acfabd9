import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { hawserOnly, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const run = (...args: string[]) =>
  target.ok("run", "--rm", ...args.slice(0, -1), "busybox", "sh", "-c", args.at(-1) ?? "");
const tell = async (...args: string[]) => {
  const all = ["run", "--rm", ...args.slice(0, -1), "busybox", "sh", "-c", args.at(-1) ?? ""];
  const { stdout, stderr } = await target.docker(all);
  return stdout + stderr;
};

describe("the file system", () => {
  test("can be read-only, but for tmpfs and binds", async () => {
    assert.match(await tell("--read-only", "echo x >/file"), /Read-only file system/);
    assert.equal(await run("--read-only", "--tmpfs", "/t", "echo x >/t/file; cat /t/file"), "x\n");
  });

  test("has a tmpfs with its options", async () => {
    const told = await run(
      "--tmpfs",
      "/t:size=1m,mode=700,exec",
      "stat -c %a /t; df -k /t | tail -1 | awk '{print $2}'; grep ' /t ' /proc/mounts",
    );
    assert.match(told, /^700\n1024\ntmpfs \/t tmpfs rw,nosuid,nodev/);
    assert.match(
      await run("--mount", "type=tmpfs,destination=/m,tmpfs-size=2m", "df -k /m | tail -1"),
      /^tmpfs +2048 /,
    );
  });

  test("has the devices and links of every container", async () => {
    const told = await run("ls /dev; readlink /dev/stdout; stat -c %t:%T /dev/null");
    for (const name of ["full", "null", "ptmx", "pts", "random", "shm", "tty", "urandom", "zero", "mqueue"]) {
      assert.match(told, new RegExp(`^${name}$`, "m"));
    }
    assert.match(told, /\/proc\/self\/fd\/1\n1:3\n$/);
    assert.doesNotMatch(told, /^(sda|vda|mem|kmsg)$/m);
  });

  test("has shared memory of --shm-size", async () => {
    assert.match(await run("--shm-size", "3m", "df -k /dev/shm | tail -1"), / 3072 /);
    assert.match(await run("df -k /dev/shm | tail -1"), / 65536 /);
  });
});

describe("binds", () => {
  test("show a host's folder, writable or not", async () => {
    await using dir = await openTempDir();
    await writeFile(join(dir.path, "in"), "from the host\n");
    assert.equal(await run("-v", `${dir.path}:/b`, "cat /b/in; echo back >/b/out"), "from the host\n");
    assert.equal(await readFile(join(dir.path, "out"), "utf8"), "back\n");
    assert.match(await tell("-v", `${dir.path}:/b:ro`, "echo x >/b/no"), /Read-only file system/);
    assert.match(
      await tell("--mount", `type=bind,src=${dir.path},dst=/b,readonly`, "echo x >/b/no"),
      /Read-only/,
    );
  });

  test("show a single file", async () => {
    await using dir = await openTempDir();
    await writeFile(join(dir.path, "one"), "1\n");
    assert.equal(await run("-v", `${join(dir.path, "one")}:/etc/deep/one`, "cat /etc/deep/one"), "1\n");
  });

  test("make a missing source with -v, and refuse it with --mount", async () => {
    await using dir = await openTempDir();
    const missing = join(dir.path, "not/there");
    assert.equal(await run("-v", `${missing}:/b`, "ls /b"), "");
    assert.ok((await stat(missing)).isDirectory());
    const refused = await target.docker([
      "run",
      "--rm",
      "--mount",
      `type=bind,src=${dir.path}/no,dst=/b`,
      "busybox",
    ]);
    assert.equal(refused.exitCode, 125);
    assert.match(refused.stderr, /invalid mount config for type "bind": bind source path does not exist/);
  });
});

describe("rights", () => {
  const capabilities = async (...flags: string[]) =>
    (await run(...flags, "grep CapEff /proc/self/status | cut -f2")).trim();

  test("are Docker's fourteen capabilities, more or fewer by flags", async () => {
    assert.equal(await capabilities(), "00000000a80425fb");
    assert.equal(await capabilities("--cap-drop", "ALL"), "0000000000000000");
    assert.equal(await capabilities("--cap-drop", "all", "--cap-add", "CAP_CHOWN"), "0000000000000001");
    assert.equal(await capabilities("--cap-add", "net_admin", "--cap-drop", "chown"), "00000000a80435fa");
    assert.equal(await capabilities("-u", "1000"), "0000000000000000");
    const refused = await target.docker(["run", "--rm", "--cap-add", "nosuch", "busybox"]);
    assert.equal(refused.exitCode, 125);
    assert.match(refused.stderr, /unknown capability/i);
  });

  test("are all that the host has with --privileged", hawserOnly, async () => {
    const host = /CapEff:\t(.*)/.exec(await readFile("/proc/self/status", "utf8"))?.[1];
    assert.equal(await capabilities("--privileged"), host);
    assert.equal(await run("--privileged", "mount -t tmpfs none /tmp && echo mounted"), "mounted\n");
    assert.match(await run("--privileged", "grep Seccomp: /proc/self/status"), /\t0\n/);
  });

  test("are confined by Docker's seccomp policy, another one, or none", async () => {
    const newUser = "unshare -U true 2>&1 && echo allowed";
    assert.match(await tell(newUser), /Operation not permitted/);
    assert.equal(await run("--security-opt", "seccomp=unconfined", newUser), "allowed\n");
    assert.match(await run("grep Seccomp: /proc/self/status"), /\t2\n/);
    assert.match(
      await run("--security-opt", "seccomp=unconfined", "grep Seccomp: /proc/self/status"),
      /\t0\n/,
    );
    await using dir = await openTempDir();
    const policy = join(dir.path, "policy.json");
    const rule = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" };
    await writeFile(policy, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] }));
    assert.match(await tell("--security-opt", `seccomp=${policy}`, "mkdir /x"), /Operation not permitted/);
  });

  test("do not reach the kernel's files", async () => {
    assert.equal(
      await run("cat /proc/kcore | wc -c; ls /proc/acpi /sys/firmware"),
      "0\n/proc/acpi:\n\n/sys/firmware:\n",
    );
    assert.match(await tell("echo x >/proc/sys/kernel/hostname"), /Read-only file system/);
    assert.match(await tell("mkdir /sys/fs/x"), /Read-only file system|Operation not permitted/);
    assert.match(await tell("mount -t tmpfs none /tmp"), /[Pp]ermission denied|Operation not permitted/);
    assert.match(await run("grep NoNewPrivs /proc/self/status"), /\t0\n/);
    assert.match(
      await run("--security-opt", "no-new-privileges", "grep NoNewPrivs /proc/self/status"),
      /\t1\n/,
    );
  });

  test("see no process of the host", async () => {
    assert.equal(await run("ls -d /proc/[0-9]* | head -1; echo $$"), "/proc/1\n1\n");
  });
});

describe("limits", () => {
  /** A controller's file on cgroup v1 or v2. */
  const limit = async (files: { readonly v1: string; readonly v2: string }, ...flags: string[]) =>
    (
      await run(...flags, `cat /sys/fs/cgroup/${files.v1} 2>/dev/null || cat /sys/fs/cgroup/${files.v2}`)
    ).trim();

  test("of memory, processors and processes reach the cgroup", async () => {
    assert.equal(
      await limit({ v1: "memory/memory.limit_in_bytes", v2: "memory.max" }, "-m", "64m"),
      "67108864",
    );
    assert.match(await limit({ v1: "cpu/cpu.cfs_quota_us", v2: "cpu.max" }, "--cpus", "1.5"), /^150000/);
    assert.match(await limit({ v1: "cpu/cpu.shares", v2: "cpu.weight" }, "-c", "512"), /^(512|20|59)$/);
    assert.equal(await limit({ v1: "pids/pids.max", v2: "pids.max" }, "--pids-limit", "33"), "33");
    assert.equal(await limit({ v1: "cpuset/cpuset.cpus", v2: "cpuset.cpus" }, "--cpuset-cpus", "0"), "0");
  });

  test("of memory end a program that wants more; inspect says that it was so", async () => {
    const grow = `BEGIN { x = "0123456789"; while (1) x = x x }`;
    const flags = ["--name", "hungry", "-m", "16m", "--memory-swap", "16m"];
    const { exitCode } = await target.docker(["run", ...flags, "busybox", "awk", grow]);
    assert.equal(exitCode, 137);
    assert.equal(textOf((await target.inspect("hungry"))["State"]?.["OOMKilled"]), "true");
    await target.docker(["run", "--name", "modest", "-m", "16m", "busybox", "true"]);
    assert.equal(textOf((await target.inspect("modest"))["State"]?.["OOMKilled"]), "false");
  });

  test("of processes stop a program that forks without end", async () => {
    const bomb = "f() { f | f & }; f; sleep 0.5; echo survived";
    await target.ok("run", "-d", "--name", "bomb", "--pids-limit", "20", "busybox", "sh", "-c", bomb);
    await eventually(async () =>
      /fork|Resource temporarily unavailable/.test((await target.docker(["logs", "bomb"])).stderr),
    );
    await target.ok("rm", "-f", "bomb");
  });

  test("that make no sense are refused", async () => {
    for (const flags of [
      ["-m", "1m"],
      ["--cpus", "100000"],
      ["--memory-swap", "1m", "-m", "64m"],
    ]) {
      const { exitCode } = await target.docker(["run", "--rm", ...flags, "busybox", "true"]);
      assert.equal(exitCode, 125, flags.join(" "));
    }
  });
});
