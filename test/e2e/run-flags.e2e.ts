import assert from "node:assert/strict";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { after, describe, test } from "node:test";
import { removeCgroups } from "./kit-cgroups.ts";
import { againstDockerd, useTarget } from "./kit-target.ts";

/** What `run` takes, each thing by what it does inside, as far as no other file has it; many in one container, which is quicker. */
const target = useTarget();

const isV1 = existsSync("/sys/fs/cgroup/memory");
const run = async (flags: readonly string[], script: string) =>
  (await target.ok("run", "--rm", ...flags, "busybox", "sh", "-c", script)).trimEnd().split("\n");
const refused = async (...args: string[]) => {
  const { exitCode, stderr } = await target.docker(["run", "--rm", ...args]);
  assert.equal(exitCode, 125, args.join(" "));
  return stderr;
};
/** A namespace of this process, which is the host's. */
const own = (kind: "ipc" | "uts") => readlinkSync(`/proc/self/ns/${kind}`);
const disk = readdirSync("/sys/block").find((name) => /^([vsx]v?d[a-z]|nvme\d+n\d+)$/.test(name));

test("limits reach the cgroup", async () => {
  const files = isV1
    ? [
        ["cpu/cpu.cfs_period_us", "50000"],
        ["cpu/cpu.cfs_quota_us", "25000"],
        ["cpuset/cpuset.mems", "0"],
        ["memory/memory.soft_limit_in_bytes", String(32 << 20)],
        ["memory/memory.swappiness", "10"],
      ]
    : [
        ["cpu.max", "25000 50000"],
        ["cpuset.mems", "0"],
        ["memory.low", String(32 << 20)],
      ];
  const flags =
    "--cpu-period 50000 --cpu-quota 25000 --cpuset-mems 0 -m 64m --memory-reservation 32m --oom-score-adj 500";
  const told = await run(
    [...flags.split(" "), ...(isV1 ? ["--memory-swappiness", "10"] : [])],
    `cd /sys/fs/cgroup; cat ${files.map(([file]) => file).join(" ")}; cat /proc/self/oom_score_adj`,
  );
  assert.deepEqual(told, [...files.map(([, value]) => value), "500"]);
});

test("disks are read and written only so fast", { skip: disk === undefined }, async () => {
  const names = ["read-bps", "write-bps", "read-iops", "write-iops"] as const;
  const rates = { "read-bps": 1 << 20, "write-bps": 2 << 20, "read-iops": 300, "write-iops": 400 };
  const v1 = names.map((name) => `blkio/blkio.throttle.${name.replace("-", "_")}_device`);
  const told = await run(
    names.flatMap((name) => [`--device-${name}`, `/dev/${disk}:${rates[name]}`]),
    `cd /sys/fs/cgroup; cat ${isV1 ? v1.join(" ") : "io.max"}`,
  );
  const rest = told.map((line) => line.replace(/^\d+:\d+ /, ""));
  const { "read-bps": rbps, "write-bps": wbps, "read-iops": riops, "write-iops": wiops } = rates;
  assert.deepEqual(
    rest,
    isV1
      ? names.map((name) => String(rates[name]))
      : [`rbps=${rbps} wbps=${wbps} riops=${riops} wiops=${wiops}`],
  );
});

test("devices are there by another name, with their rights, and by rules", async () => {
  const flags = ["--device", "/dev/zero:/dev/mine:r"];
  const fuse = "mknod /t c 10 229; head -c 1 /t 2>&1 || true";
  const told = await run(flags, `head -c 1 /dev/mine | wc -c; echo x >/dev/mine; ${fuse}`);
  assert.deepEqual(told.slice(0, 1), ["1"]);
  assert.match(told.join(), /t: Operation not permitted/);
  const allowed = await run(["--device-cgroup-rule", "c 10:229 rwm"], fuse);
  assert.doesNotMatch(allowed.join(), /not permitted/);
});

test("names are told in full, wherever the dot is", async () => {
  const script =
    "hostname; cat /etc/hostname /proc/sys/kernel/domainname; tail -1 /etc/hosts | sed 's/.*\\t//'";
  const parted = await run(["-h", "web", "--domainname", "example.org"], script);
  assert.deepEqual(parted, ["web", "web", "example.org", "web.example.org web"]);
  const whole = await run(["-h", "web.example.org"], script);
  assert.deepEqual(whole, ["web.example.org", "web.example.org", "(none)", "web.example.org web"]);
});

describe("namespaces", () => {
  const parent = `hawser-run-flags-${process.pid}`;
  after(() => removeCgroups([parent]));

  test("are the host's where that is asked for", async () => {
    const script = "readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts";
    const flags = ["--ipc", "host", "--uts", "host"];
    assert.deepEqual(await run(flags, script), [own("ipc"), own("uts")]);
    const [ipc, uts] = await run([], script);
    assert.ok(ipc !== own("ipc") && uts !== own("uts"));
  });

  test("of IPC may have no shared memory", async () => {
    assert.deepEqual(await run(["--ipc", "none"], "grep -c ' /dev/shm ' /proc/mounts || true"), ["0"]);
  });

  test("of cgroups hide where the container is", async () => {
    const places = "cut -d: -f3 /proc/self/cgroup | sort -u | tail -1";
    assert.deepEqual(await run(["--cgroupns", "private"], places), ["/"]);
    const [place = ""] = await run(["--cgroupns", "host", "--cgroup-parent", `/${parent}`], places);
    assert.match(place, new RegExp(`^/${parent}/[0-9a-f]{64}$`));
  });
});

test("cgroups can be written where that is asked for", { skip: againstDockerd }, async () => {
  const mounted = `awk '$3 ~ /^cgroup/ { print substr($4, 1, 2) }' /proc/mounts | sort -u`;
  assert.deepEqual(await run([], mounted), ["ro"]);
  assert.deepEqual(await run(["--security-opt", "writable-cgroups=true"], mounted), ["rw"]);
});

test("what this system does not have, or no driver gives, is refused", { skip: againstDockerd }, async () => {
  const image = ["busybox", "true"];
  assert.match(await refused("--isolation", "process", ...image), /linux only supports 'default'/);
  assert.match(await refused("--storage-opt", "size=1G", ...image), /--storage-opt is supported only for/);
  assert.match(await refused("--gpus", "all", ...image), /could not select device driver "" with capab/);
  assert.match(
    await refused("--device", "example.org/thing=one", ...image),
    /could not select device driver "cdi"/,
  );
});
