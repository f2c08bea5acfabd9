import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { release } from "node:os";
import { before, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { cgroupOf, childrenOf, readCgroupPath, readControl, readCounter } from "./cgroups.ts";
import { Engine } from "./engine.ts";

/**
 * Hawser on a host that has cgroup v2 and nothing else. Runs as root inside a machine of its own, where every container,
 * cgroup, mount and interface there is, is ours. Each test leaves no container behind.
 */
const engine = new Engine();
const mib = 1024 * 1024;
const forever = ["sleep", "100000"];
const eatMemory = "x=0123456789abcdef; while :; do x=$x$x; done";

before(async () => await engine.start());

test("the machine is what this file is about", () => {
  const cgroup2Magic = 0x63677270;
  assert.equal(statfsSync("/sys/fs/cgroup").type, cgroup2Magic);
  assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), / - cgroup /, "no v1 hierarchy");
  assert.match(release(), /^6\.1\..*cloud/);
});

test("the engine says cgroup version 2", async () => {
  const info = await engine.client.json<Record<string, unknown>>({ method: "GET", path: "/info" });
  assert.equal(info["CgroupVersion"], "2");
  assert.equal(info["CgroupDriver"], "cgroupfs");
  for (const limit of ["MemoryLimit", "SwapLimit", "CpuCfsQuota", "CPUShares", "CPUSet", "PidsLimit"]) {
    assert.equal(info[limit], true, limit);
  }
});

test("run gives the program's output and exit code", async () => {
  const echo = await engine.hawser("run", "--rm", "busybox", "echo", "hello", "v2");
  assert.deepEqual([echo.exitCode, echo.stdout], [0, "hello v2\n"], echo.stderr);
  const seven = await engine.hawser("run", "--rm", "busybox", "sh", "-c", "echo bad >&2; exit 7");
  assert.deepEqual([seven.exitCode, seven.stderr], [7, "bad\n"]);
  assert.equal((await engine.hawser("run", "--rm", "busybox", "/no-such-program")).exitCode, 127);
  assert.equal((await engine.hawser("run", "--rm", "busybox", "/etc")).exitCode, 126);
});

test("a container sees a cgroup namespace of its own, read-only", async () => {
  const { stdout, stderr } = await engine.hawser(
    ...words("run --rm --memory 32m busybox sh -c"),
    "cat /proc/self/cgroup /sys/fs/cgroup/memory.max; mkdir /sys/fs/cgroup/mine || echo refused",
  );
  assert.equal(stdout, `0::/\n${32 * mib}\nrefused\n`, stderr);
});

test("--cgroupns host shows where the container is", async () => {
  const container = await engine.run(["--cgroupns", "host"], forever);
  const seen = await engine.ok("exec", container.Id, "cat", "/proc/self/cgroup");
  assert.equal(seen, `0::/hawser/${container.Id}`);
  await engine.ok("rm", "-f", container.Id);
});

test("limits are the cgroup's", async () => {
  const container = await engine.run(
    words(
      "--memory 64m --memory-swap 80m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 --cpuset-cpus 1 --pids-limit 40",
    ),
    forever,
  );
  const cgroup = cgroupOf(container.State.Pid);
  assert.equal(readCgroupPath(container.State.Pid), `/hawser/${container.Id}`);
  const found = Object.fromEntries(
    words("memory.max memory.swap.max memory.low cpu.max cpu.weight cpuset.cpus pids.max").map((file) => [
      file,
      readControl(cgroup, file),
    ]),
  );
  assert.deepEqual(found, {
    "memory.max": String(64 * mib),
    "memory.swap.max": String(16 * mib), // v2 counts swap alone
    "memory.low": String(32 * mib),
    "cpu.max": "50000 100000",
    "cpu.weight": "20", // 512 of 2..262144 on a scale of 1..10000
    "cpuset.cpus": "1",
    "pids.max": "40",
  });
  await engine.ok("rm", "-f", container.Id);
});

test("without limits there are none, but swap is bounded by memory", async () => {
  const free = await engine.run([], forever);
  const cgroup = cgroupOf(free.State.Pid);
  for (const file of ["memory.max", "memory.swap.max", "pids.max"]) {
    assert.equal(readControl(cgroup, file), "max", file);
  }
  assert.equal(readControl(cgroup, "cpu.max"), "max 100000");
  const bounded = await engine.run(["--memory", "32m"], forever);
  assert.equal(readControl(cgroupOf(bounded.State.Pid), "memory.swap.max"), String(32 * mib));
  await engine.ok("rm", "-f", free.Id, bounded.Id);
});

test("a container out of memory is killed, and everybody is told", async () => {
  const { Id } = await engine.run(["--memory", "16m"], ["sh", "-c", eatMemory]);
  assert.equal(await engine.ok("wait", Id), "137");
  const { State } = await engine.inspect(Id);
  assert.deepEqual([State.OOMKilled, State.ExitCode, State.Status], [true, 137, "exited"]);
  const actions = await engine.actionsOf(Id);
  assert.ok(actions.includes("oom"), actions.join());
  assert.ok(actions.indexOf("oom") < actions.indexOf("die"), actions.join());
  await engine.ok("rm", Id);
});

test("a child out of memory is told while the container goes on", async () => {
  const { Id, State } = await engine.run(["--memory", "16m"], ["sh", "-c", `(${eatMemory}); sleep 100000`]);
  const cgroup = cgroupOf(State.Pid);
  await eventually(async () => (await engine.actionsOf(Id)).includes("oom"), { deadlineMs: 30_000 });
  assert.equal(readCounter(cgroup, "memory.events", "oom_kill"), 1);
  assert.equal((await engine.inspect(Id)).State.Running, true);
  await engine.ok("rm", "-f", Id);
});

test("a fork bomb stays below the pids limit", async () => {
  const limit = 20;
  const bomb = "bomb() { bomb | bomb & }; bomb; bomb; exec sleep 100000";
  const { Id, State } = await engine.run(["--pids-limit", String(limit)], ["sh", "-c", bomb]);
  const cgroup = cgroupOf(State.Pid);
  await eventually(() => readCounter(cgroup, "pids.events", "max") > 0, { deadlineMs: 30_000 });
  assert.ok(Number(readControl(cgroup, "pids.current")) <= limit);
  assert.equal(await engine.ok("run", "--rm", "busybox", "echo", "others live"), "others live");
  await engine.ok("rm", "-f", Id);
  assert.ok(!existsSync(cgroup));
});

test("only allowed devices can be opened", async () => {
  // The kernel has no device controller on v2: a BPF program of the OCI runtime decides.
  const [major, minor] = readFileSync("/sys/class/block/nvme0n1/dev", "utf8").trim().split(":");
  const look = `mknod /disk b ${major} ${minor} && head -c 1 /disk | wc -c; echo ok >/dev/null && echo null`;
  const plain = await engine.hawser("run", "--rm", "busybox", "sh", "-c", look);
  assert.equal(plain.stdout, "0\nnull\n");
  assert.match(plain.stderr, /Operation not permitted/);
  const device = await engine.ok(
    "run",
    "--rm",
    "--device",
    "/dev/nvme0n1:/dev/xvda",
    "busybox",
    "head",
    "-c",
    "2",
    "/dev/xvda",
  );
  assert.equal(device, "\0\0");
  const privileged = await engine.hawser("run", "--rm", "--privileged", "busybox", "sh", "-c", look);
  assert.equal(privileged.stdout, "1\nnull\n", privileged.stderr);
});

test("exec joins the container's cgroup", async () => {
  const { Id, State } = await engine.run(["--memory", "32m"], forever);
  const exec = await engine.hawser("exec", Id, "sh", "-c", "cat /proc/self/cgroup; exit 3");
  assert.deepEqual([exec.exitCode, exec.stdout], [3, "0::/\n"], exec.stderr);
  await engine.ok("exec", "-d", Id, ...forever);
  await eventually(() => readControl(cgroupOf(State.Pid), "cgroup.procs").split("\n").length === 2);
  await engine.ok("rm", "-f", Id);
});

test("cgroups that a container made below its own go with it", async () => {
  const { Id, State } = await engine.run(
    ["--privileged"],
    ["sh", "-c", "mkdir -p /sys/fs/cgroup/a/b && exec sleep 100000"],
  );
  const cgroup = cgroupOf(State.Pid);
  await eventually(() => existsSync(`${cgroup}/a/b`));
  await engine.ok("rm", "-f", Id);
  assert.ok(!existsSync(cgroup));
});

test("containers on the default bridge reach each other", async () => {
  const server = await engine.run(
    ["--hostname", "server"],
    ["busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"],
  );
  const address = server.NetworkSettings.Networks["bridge"]?.IPAddress ?? "";
  assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
  const url = `http://${address}:8080/hostname`;
  const client = await engine.run([], forever);
  const fetched = await eventually(
    async () => {
      const { exitCode, stdout, stderr } = await engine.hawser(
        "exec",
        client.Id,
        "wget",
        "-q",
        "-O",
        "-",
        url,
      );
      if (exitCode !== 0) throw new Error(stderr);
      return stdout;
    },
    { deadlineMs: 20_000, what: "the server answers" },
  );
  assert.equal(fetched, "server\n");
  assert.match(
    await engine.ok("exec", client.Id, "ping", "-c", "1", "-w", "10", address),
    /1 packets received/,
  );
  await engine.ok("rm", "-f", server.Id, client.Id);
});

test("containers outlive kill -9 of the engine, and the next one finds them", async () => {
  const staying = await engine.run(["--memory", "32m"], forever);
  const ending = await engine.run([], ["sh", "-c", 'trap "exit 7" TERM; sleep 100000 & wait']);
  await engine.kill();
  process.kill(ending.State.Pid, "SIGTERM");
  await eventually(() => !existsSync(`/proc/${ending.State.Pid}`), { what: "the container has ended" });
  assert.ok(existsSync(`/proc/${staying.State.Pid}`));
  await engine.start();

  const found = await engine.inspect(staying.Id);
  assert.deepEqual([found.State.Running, found.State.Pid], [true, staying.State.Pid]);
  assert.equal(await engine.ok("exec", staying.Id, "cat", "/sys/fs/cgroup/memory.max"), String(32 * mib));
  const { State } = await engine.inspect(ending.Id);
  assert.deepEqual([State.Status, State.ExitCode], ["exited", 7]);
  await engine.ok("stop", "-t", "0", staying.Id);
  assert.equal((await engine.inspect(staying.Id)).State.ExitCode, 137);
  await engine.ok("rm", staying.Id, ending.Id);
});

test("when all containers are removed nothing of them is left", async () => {
  assert.equal(await engine.ok("ps", "-aq"), "");
  await eventually(() => childrenOf("hawser").length === 0, { what: "no cgroup below the parent" });
  assert.deepEqual(childrenOf("").toSorted(), ["hawser", "system.slice"]);
  assert.deepEqual(readdirSync("/run/hawser/containers"), []);
  assert.deepEqual(readdirSync("/var/lib/hawser/containers"), []);
  assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), / overlay /);
});

function words(text: string): string[] {
  return text.split(" ");
}
