import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { release } from "node:os";
import { test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { cgroupOf, childrenOf, readCgroupPath, readControl, readCounter } from "./cgroups.ts";
import type { Engine } from "./engine.ts";

const mib = 1024 * 1024;
const forever = ["sleep", "100000"];
const eatMemory = "x=0123456789abcdef; while :; do x=$x$x; done";
const shell = (script: string) => ["sh", "-c", script];

/**
 * Hawser on a host that has cgroup v2 and nothing else. Runs as root inside a machine of its own, where every container,
 * cgroup, mount and interface there is, is ours. Each test leaves no container behind.
 */
export function cgroupTests(engine: Engine): void {
  test("the machine is what this file is about", () => {
    const cgroup2Magic = 0x63677270;
    assert.equal(statfsSync("/sys/fs/cgroup").type, cgroup2Magic);
    assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), / - cgroup /, "no v1 hierarchy");
    assert.match(release(), /^6\.1\..*cloud/);
  });

  test("the engine says cgroup version 2", async () => {
    const info = await engine.info();
    assert.equal(info["CgroupVersion"], "2");
    assert.equal(info["CgroupDriver"], "cgroupfs");
    for (const limit of ["MemoryLimit", "SwapLimit", "CpuCfsQuota", "CPUShares", "CPUSet", "PidsLimit"]) {
      assert.equal(info[limit], true, limit);
    }
  });

  test("hawser run gives the program's output and exit code", async () => {
    const echo = await engine.hawser("run", "--rm", "busybox", "echo", "hello", "v2");
    assert.deepEqual([echo.exitCode, echo.stdout], [0, "hello v2\n"], echo.stderr);
    const seven = await engine.hawser("run", "--rm", "busybox", ...shell("echo bad >&2; exit 7"));
    assert.equal(seven.exitCode, 7);
    assert.match(seven.stderr, /^bad$/m);
    assert.equal((await engine.hawser("run", "--rm", "busybox", "/no-such-program")).exitCode, 127);
  });

  test("a container sees a cgroup namespace of its own, read-only", async () => {
    const look = "cat /proc/self/cgroup /sys/fs/cgroup/memory.max; mkdir /sys/fs/cgroup/mine || echo refused";
    const seen = await engine.output(shell(look), { HostConfig: { Memory: 32 * mib } });
    assert.equal(seen.stdout, `0::/\n${32 * mib}\nrefused\n`, seen.stderr);
  });

  test("with the host's cgroup namespace it sees where it is", async () => {
    const { Id } = await engine.run(forever, { HostConfig: { CgroupnsMode: "host" } });
    const seen = await engine.exec(Id, ["cat", "/proc/self/cgroup"]);
    assert.equal(seen.stdout, `0::/hawser/${Id}\n`);
    await engine.remove(Id);
  });

  test("limits are the cgroup's", async () => {
    const { Id, State } = await engine.run(forever, {
      HostConfig: {
        Memory: 64 * mib,
        MemorySwap: 80 * mib,
        MemoryReservation: 32 * mib,
        NanoCpus: 500_000_000,
        CpuShares: 512,
        CpusetCpus: "1",
        PidsLimit: 40,
      },
    });
    assert.equal(readCgroupPath(State.Pid), `/hawser/${Id}`);
    const expected = {
      "memory.max": String(64 * mib),
      "memory.swap.max": String(16 * mib), // v2 counts swap alone
      "memory.low": String(32 * mib),
      "cpu.max": "50000 100000",
      "cpu.weight": "20", // 512 of 2..262144 on a scale of 1..10000
      "cpuset.cpus": "1",
      "pids.max": "40",
    };
    const found = Object.keys(expected).map((file) => [file, readControl(cgroupOf(State.Pid), file)]);
    assert.deepEqual(Object.fromEntries(found), expected);
    await engine.remove(Id);
  });

  test("without limits there are none; with memory, swap is bounded too", async () => {
    const free = await engine.run(forever);
    const cgroup = cgroupOf(free.State.Pid);
    for (const file of ["memory.max", "memory.swap.max", "pids.max"]) {
      assert.equal(readControl(cgroup, file), "max", file);
    }
    assert.equal(readControl(cgroup, "cpu.max"), "max 100000");
    const bounded = await engine.run(forever, { HostConfig: { Memory: 32 * mib } });
    assert.equal(readControl(cgroupOf(bounded.State.Pid), "memory.swap.max"), String(32 * mib));
    await engine.remove(free.Id, bounded.Id);
  });

  test("a container out of memory is killed, and everybody is told", async () => {
    const { Id } = await engine.run(shell(eatMemory), { HostConfig: { Memory: 16 * mib } });
    assert.equal(await engine.wait(Id), 137);
    const { State } = await engine.inspect(Id);
    assert.deepEqual([State.OOMKilled, State.ExitCode, State.Status], [true, 137, "exited"]);
    const actions = await engine.actionsOf(Id);
    assert.ok(actions.includes("oom"), actions.join());
    assert.ok(actions.indexOf("oom") < actions.indexOf("die"), actions.join());
    await engine.remove(Id);
  });

  test("a child out of memory is told while the container goes on", async () => {
    const { Id, State } = await engine.run(shell(`(${eatMemory}); sleep 100000`), {
      HostConfig: { Memory: 16 * mib },
    });
    const told = async () => (await engine.actionsOf(Id)).includes("oom");
    await eventually(told, { deadlineMs: 30_000, what: "the event" });
    assert.equal(readCounter(cgroupOf(State.Pid), "memory.events", "oom_kill"), 1);
    assert.equal((await engine.inspect(Id)).State.Running, true);
    await engine.remove(Id);
  });

  test("a fork bomb stays below the pids limit", async () => {
    const limit = 20;
    // In a child: a shell that is refused a fork ends, and the first process must not.
    const bomb = "bomb() { bomb | bomb & }; (bomb; bomb) & exec sleep 100000";
    const { Id, State } = await engine.run(shell(bomb), { HostConfig: { PidsLimit: limit } });
    const cgroup = cgroupOf(State.Pid);
    const refused = () => readCounter(cgroup, "pids.events", "max") > 0;
    await eventually(refused, { deadlineMs: 30_000, what: "the kernel refuses a fork" });
    assert.ok(Number(readControl(cgroup, "pids.current")) <= limit);
    assert.equal((await engine.output(["echo", "others live"])).stdout, "others live\n");
    await engine.remove(Id);
    assert.ok(!existsSync(cgroup));
  });

  test("only allowed devices can be opened", async () => {
    // The kernel has no device controller on v2: a BPF program of the OCI runtime decides.
    const [major, minor] = readFileSync("/sys/class/block/nvme0n1/dev", "utf8").trim().split(":");
    const look = shell(
      `mknod /disk b ${major} ${minor} && head -c 1 /disk | wc -c; echo >/dev/null && echo null`,
    );
    const plain = await engine.output(look);
    assert.equal(plain.stdout, "0\nnull\n");
    assert.match(plain.stderr, /Operation not permitted/);
    const device = { PathOnHost: "/dev/nvme0n1", PathInContainer: "/dev/xvda", CgroupPermissions: "r" };
    const given = await engine.output(shell("head -c 1 /dev/xvda | wc -c; echo >/dev/xvda"), {
      HostConfig: { Devices: [device] },
    });
    assert.equal(given.stdout, "1\n", given.stderr);
    assert.match(given.stderr, /Operation not permitted/);
    const privileged = await engine.output(look, { HostConfig: { Privileged: true } });
    assert.equal(privileged.stdout, "1\nnull\n", privileged.stderr);
  });

  test("hawser exec joins the container's cgroup and gives the exit code", async () => {
    const { Id, State } = await engine.run(forever, { HostConfig: { Memory: 32 * mib } });
    const exec = await engine.hawser("exec", Id, ...shell("cat /proc/self/cgroup; exit 3"));
    assert.deepEqual([exec.exitCode, exec.stdout], [3, "0::/\n"], exec.stderr);
    const detached = await engine.hawser("exec", "-d", Id, ...forever);
    assert.equal(detached.exitCode, 0, detached.stderr);
    await eventually(() => readControl(cgroupOf(State.Pid), "cgroup.procs").split("\n").length === 2);
    await engine.remove(Id);
  });

  test("a privileged container has a cgroup namespace of its own too; what it makes in it goes with it", async () => {
    const { Id, State } = await engine.run(forever, { HostConfig: { Privileged: true } });
    const cgroup = cgroupOf(State.Pid);
    const nest = shell(
      "cat /proc/self/cgroup && mkdir -p /sys/fs/cgroup/a/b && echo 1 >/sys/fs/cgroup/a/cgroup.freeze",
    );
    const made = await engine.exec(Id, nest);
    await engine.remove(Id);
    assert.deepEqual(made, { exitCode: 0, stdout: "0::/\n", stderr: "" });
    assert.ok(!existsSync(cgroup));
  });

  test("containers on the default bridge reach each other", async () => {
    const serve = ["busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"];
    const server = await engine.run(serve, { Hostname: "server" });
    const address = server.NetworkSettings.Networks["bridge"]?.IPAddress ?? "";
    assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
    const client = await engine.run(forever);
    const fetched = await eventually(
      async () => {
        const url = `http://${address}:8080/hostname`;
        const { exitCode, stdout, stderr } = await engine.exec(client.Id, ["wget", "-q", "-O", "-", url]);
        if (exitCode !== 0) throw new Error(stderr);
        return stdout;
      },
      { deadlineMs: 20_000, what: "the server answers" },
    );
    assert.equal(fetched, "server\n");
    const ping = await engine.exec(client.Id, ["ping", "-c", "1", "-w", "10", address]);
    assert.match(ping.stdout, /1 packets received/);
    await engine.remove(server.Id, client.Id);
  });

  test("containers outlive kill -9 of the engine, and the next one finds them", async () => {
    const staying = await engine.run(forever, { HostConfig: { Memory: 32 * mib } });
    const ending = await engine.run(shell('trap "exit 7" TERM; echo ready; sleep 100000 & wait'));
    const ready = async () => (await engine.logs(ending.Id)).stdout === "ready\n";
    await eventually(ready, { what: "the trap is set" });
    await engine.kill();
    process.kill(ending.State.Pid, "SIGTERM");
    await eventually(() => !existsSync(`/proc/${ending.State.Pid}`), { what: "the container has ended" });
    assert.ok(existsSync(`/proc/${staying.State.Pid}`));
    await engine.start();

    const found = await engine.inspect(staying.Id);
    assert.deepEqual([found.State.Running, found.State.Pid], [true, staying.State.Pid]);
    const limit = await engine.exec(staying.Id, ["cat", "/sys/fs/cgroup/memory.max"]);
    assert.equal(limit.stdout, `${32 * mib}\n`);
    const { State } = await engine.inspect(ending.Id);
    assert.deepEqual([State.Status, State.ExitCode], ["exited", 7]);
    await engine.stop(staying.Id);
    assert.equal((await engine.inspect(staying.Id)).State.ExitCode, 137);
    await engine.remove(staying.Id, ending.Id);
  });

  test("when all containers are removed nothing of them is left", async () => {
    assert.deepEqual(await engine.list(), []);
    await eventually(() => childrenOf("hawser").length === 0, { what: "no cgroup is below the parent" });
    assert.deepEqual(childrenOf("").toSorted(), ["hawser", "system.slice"]);
    // Folders go after the answer to the removal.
    for (const folder of [
      "/run/hawser/containers",
      "/var/lib/hawser/containers",
      "/var/lib/hawser/snapshots",
    ]) {
      await eventually(() => readdirSync(folder).length === 0, { what: `${folder} is empty` });
    }
    assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), / overlay /);
  });
}
