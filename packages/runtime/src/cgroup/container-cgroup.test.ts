import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { ContainerCgroup } from "./container-cgroup.ts";
import { freeze, isFrozen, thaw } from "./freezer.ts";
import { parseBlockV1, parseBlockV2, readCgroupUsage } from "./read-usage.ts";
import { cpuWeightOf, type LiveLimits, writeLimits } from "./write-limits.ts";

const noLimits: LiveLimits = {
  blkioWeight: 0,
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  cpuRealtimePeriodUs: 0,
  cpuRealtimeRuntimeUs: 0,
  cpuShares: 0,
  cpusetCpus: "",
  cpusetMems: "",
  memoryBytes: 0,
  memoryReservationBytes: 0,
  memorySwapBytes: 0,
  nanoCpus: 0,
};

/** A cgroup of ordinary files: what the kernel would answer is in them. */
async function openCgroup(
  mode: "v1" | "v2",
  files: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { readonly cgroup: ContainerCgroup; text(path: string): Promise<string> }> {
  const dir = await openTempDir("hawser-cgroup-");
  const controllers = new Set(Object.keys(files).map((path) => (mode === "v1" ? path.split("/")[0] : "")));
  const mountPoints = [...controllers].map((name) => join(dir.path, name ?? ""));
  const pathOf = (path: string) =>
    mode === "v1" ? join(dir.path, path.replace("/", "/parent/id/")) : join(dir.path, "parent/id", path);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(pathOf(path), ".."), { recursive: true });
    await writeFile(pathOf(path), text);
  }
  return {
    cgroup: new ContainerCgroup({ mode, mountPoints }, { parent: "/parent", id: "id" }),
    text: (path) => readFile(pathOf(path), "utf8"),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

test("a v1 controller's files are in the hierarchy that is named after it, alone or with others", () => {
  const layout = { mode: "v1", mountPoints: ["/c/cpu,cpuacct", "/c/memory"] } as const;
  const cgroup = new ContainerCgroup(layout, { parent: "/p", id: "x" });
  assert.equal(cgroup.path("cpuacct", "cpuacct.usage"), "/c/cpu,cpuacct/p/x/cpuacct.usage");
  assert.equal(cgroup.path("pids", "pids.max"), undefined);
});

test("freezing on v1 asks for FROZEN and is over when the kernel says so", async () => {
  await using files = await openCgroup("v1", { "freezer/freezer.state": "THAWED\n" });
  assert.equal(await isFrozen(files.cgroup), false);
  await freeze(files.cgroup);
  assert.match(await files.text("freezer/freezer.state"), /^FROZEN/);
  await thaw(files.cgroup);
  assert.match(await files.text("freezer/freezer.state"), /^THAWED/);
});

test("freezing on v2 waits for the kernel's event", async () => {
  await using files = await openCgroup("v2", {
    "cgroup.freeze": "0",
    "cgroup.events": "populated 1\nfrozen 1\n",
  });
  await freeze(files.cgroup);
  assert.equal(await files.text("cgroup.freeze"), "1");
  assert.equal(await isFrozen(files.cgroup), true);
  await thaw(files.cgroup);
  assert.equal(await isFrozen(files.cgroup), false);
});

test("without a freezer there is no freezing", async () => {
  await using files = await openCgroup("v1", { "memory/x": "" });
  await assert.rejects(freeze(files.cgroup), { kind: "unavailable" });
});

test("only changed limits are written", async () => {
  await using files = await openCgroup("v1", {
    "memory/memory.limit_in_bytes": "old",
    "memory/memory.memsw.limit_in_bytes": "100",
    "cpu/cpu.shares": "old",
    "cpu/cpu.cfs_quota_us": "old",
    "cpu/cpu.cfs_period_us": "old",
    "pids/pids.max": "old",
  });
  await writeLimits(files.cgroup, {
    limits: { ...noLimits, memoryBytes: 50, memorySwapBytes: 90, nanoCpus: 500_000_000, cpuShares: 7 },
    changed: new Set(["memoryBytes", "nanoCpus", "pidsLimit"]),
  });
  assert.match(await files.text("memory/memory.limit_in_bytes"), /^50/);
  assert.equal(await files.text("memory/memory.memsw.limit_in_bytes"), "100");
  assert.equal(await files.text("cpu/cpu.shares"), "old");
  assert.match(await files.text("cpu/cpu.cfs_quota_us"), /^50000/);
  assert.match(await files.text("cpu/cpu.cfs_period_us"), /^100000/);
  assert.equal(await files.text("pids/pids.max"), "max");
});

test("v2 has its own words for the same limits", async () => {
  const names = [
    "memory.max",
    "memory.swap.max",
    "memory.low",
    "cpu.weight",
    "cpu.max",
    "pids.max",
    "io.weight",
  ];
  await using files = await openCgroup("v2", Object.fromEntries(names.map((name) => [name, ""])));
  await writeLimits(files.cgroup, {
    limits: {
      ...noLimits,
      memoryBytes: 100,
      memorySwapBytes: 150,
      memoryReservationBytes: 60,
      cpuShares: 1024,
      cpuQuotaUs: 20_000,
      cpuPeriodUs: 50_000,
      pidsLimit: 12,
      blkioWeight: 1000,
    },
    changed: new Set([
      "memoryBytes",
      "memorySwapBytes",
      "memoryReservationBytes",
      "cpuShares",
      "cpuQuotaUs",
      "pidsLimit",
      "blkioWeight",
    ]),
  });
  const written = await Promise.all(names.map((name) => files.text(name)));
  assert.deepEqual(written, ["100", "50", "60", "39", "20000 50000", "12", "10000"]);
});

test("shares become weights", () => {
  assert.deepEqual([2, 1024, 262_144].map(cpuWeightOf), [1, 39, 10_000]);
});

test("usage on v1", async () => {
  await using files = await openCgroup("v1", {
    "cpu,cpuacct/cpuacct.usage": "3000\n",
    "cpu,cpuacct/cpuacct.stat": "user 2\nsystem 1\n",
    "cpu,cpuacct/cpuacct.usage_percpu": "1000 2000 \n",
    "cpu,cpuacct/cpu.stat": "nr_periods 5\nnr_throttled 1\nthrottled_time 77\n",
    "memory/memory.usage_in_bytes": "4096\n",
    "memory/memory.max_usage_in_bytes": "8192\n",
    "memory/memory.failcnt": "0\n",
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "memory/memory.stat": "cache 1\nhierarchical_memory_limit 9223372036854771712\n",
    "pids/pids.current": "2\n",
    "pids/pids.max": "max\n",
  });
  const usage = await readCgroupUsage(files.cgroup);
  assert.deepEqual(usage?.cpu, {
    totalNs: 3000,
    kernelNs: 10_000_000,
    userNs: 20_000_000,
    byProcessorNs: [1000, 2000],
    periods: 5,
    throttledPeriods: 1,
    throttledNs: 77,
  });
  assert.equal(usage.memory?.details["hierarchical_memory_limit"], 9223372036854771712n);
  assert.deepEqual(usage.pids, { current: 2 });
});

test("usage on v2; a container that has ended has none", async () => {
  await using files = await openCgroup("v2", {
    "cpu.stat": "usage_usec 3\nuser_usec 2\nsystem_usec 1\n",
    "memory.current": "4096\n",
    "memory.max": "max\n",
    "memory.stat": "anon 5\n",
    "memory.events": "low 0\noom 3\n",
    "pids.current": "1\n",
    "pids.max": "50\n",
    "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n",
  });
  const usage = await readCgroupUsage(files.cgroup);
  assert.equal(usage?.cpu.totalNs, 3000);
  assert.deepEqual(usage.memory, { usageBytes: 4096, failures: 3, details: { anon: 5n } });
  assert.deepEqual(usage.pids, { current: 1, limit: 50 });
  await using none = await openCgroup("v2", { x: "" });
  assert.equal(await readCgroupUsage(none.cgroup), undefined);
});

test("block devices", () => {
  const read = { major: 8, minor: 0, value: 1 };
  assert.deepEqual(parseBlockV1("8:0 Read 1\nTotal 9\n"), [{ ...read, operation: "Read" }]);
  assert.deepEqual(parseBlockV2("8:0 rbytes=1 rios=2\n252:1\n"), {
    bytes: [{ ...read, operation: "read" }],
    operations: [{ ...read, operation: "read", value: 2 }],
  });
});
