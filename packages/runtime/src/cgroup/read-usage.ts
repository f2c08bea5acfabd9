import type { ContainerCgroup } from "./container-cgroup.ts";

/** Bytes or operations of one block device, as the kernel counts them. */
export interface BlockUsage {
  readonly major: number;
  readonly minor: number;
  /** The kernel's word on v1 (`Read`, `Write`, `Sync`, ...), `read` and `write` on v2. */
  readonly operation: string;
  readonly value: number;
}

/** What a container's processes have used so far. Absent: this host does not count it. */
export interface CgroupUsage {
  readonly cpu: {
    readonly totalNs: number;
    readonly kernelNs: number;
    readonly userNs: number;
    /** By processor; v1 only. */
    readonly byProcessorNs?: readonly number[];
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly memory?: {
    readonly usageBytes: number;
    /** v1 only. */
    readonly maxUsageBytes?: number;
    /** Times that the limit was met. */
    readonly failures: number;
    /** The kernel's number for "none" may be more than a double holds. */
    readonly limitBytes?: bigint;
    /** `memory.stat`, the kernel's words. */
    readonly details: Readonly<Record<string, bigint>>;
  };
  readonly pids?: { readonly current: number; readonly limit?: number };
  readonly block: { readonly bytes: readonly BlockUsage[]; readonly operations: readonly BlockUsage[] };
}

/** v1 counts processor time of its `cpuacct.stat` in ticks of a hundredth of a second. */
const nsPerTick = 10_000_000;

/** Read the usage of a container that runs; `undefined` when it does not any more. */
export async function readCgroupUsage(cgroup: ContainerCgroup): Promise<CgroupUsage | undefined> {
  return cgroup.mode === "v1" ? await readV1(cgroup) : await readV2(cgroup);
}

async function readV1(cgroup: ContainerCgroup): Promise<CgroupUsage | undefined> {
  const [total, ticks, byProcessor, throttling, pids, memory, bytes, operations] = await Promise.all([
    cgroup.read("cpuacct", "cpuacct.usage"),
    cgroup.read("cpuacct", "cpuacct.stat"),
    cgroup.read("cpuacct", "cpuacct.usage_percpu"),
    cgroup.read("cpu", "cpu.stat"),
    readPids(cgroup),
    readMemoryV1(cgroup),
    cgroup.read("blkio", "blkio.throttle.io_service_bytes_recursive"),
    cgroup.read("blkio", "blkio.throttle.io_serviced_recursive"),
  ]);
  if (total === undefined) return undefined;
  const times = parseCounters(ticks);
  const throttled = parseCounters(throttling);
  return {
    cpu: {
      totalNs: Number(total),
      kernelNs: numberOf(times, "system") * nsPerTick,
      userNs: numberOf(times, "user") * nsPerTick,
      byProcessorNs: (byProcessor ?? "").trim().split(/\s+/).map(Number),
      periods: numberOf(throttled, "nr_periods"),
      throttledPeriods: numberOf(throttled, "nr_throttled"),
      throttledNs: numberOf(throttled, "throttled_time"),
    },
    ...(memory && { memory }),
    ...(pids && { pids }),
    block: { bytes: parseBlockV1(bytes), operations: parseBlockV1(operations) },
  };
}

async function readMemoryV1(cgroup: ContainerCgroup): Promise<CgroupUsage["memory"]> {
  const [usage, max, failures, limit, details] = await Promise.all([
    cgroup.read("memory", "memory.usage_in_bytes"),
    cgroup.read("memory", "memory.max_usage_in_bytes"),
    cgroup.read("memory", "memory.failcnt"),
    cgroup.read("memory", "memory.limit_in_bytes"),
    cgroup.read("memory", "memory.stat"),
  ]);
  if (usage === undefined) return undefined;
  return {
    usageBytes: Number(usage),
    maxUsageBytes: Number(max ?? "0"),
    failures: Number(failures ?? "0"),
    ...(limit !== undefined && { limitBytes: BigInt(limit.trim()) }),
    details: parseCounters(details),
  };
}

async function readV2(cgroup: ContainerCgroup): Promise<CgroupUsage | undefined> {
  const [cpuText, pids, usage, limit, details, events, io] = await Promise.all([
    cgroup.read("cpu", "cpu.stat"),
    readPids(cgroup),
    cgroup.read("memory", "memory.current"),
    cgroup.read("memory", "memory.max"),
    cgroup.read("memory", "memory.stat"),
    cgroup.read("memory", "memory.events"),
    cgroup.read("blkio", "io.stat"),
  ]);
  if (cpuText === undefined) return undefined;
  const cpu = parseCounters(cpuText);
  return {
    cpu: {
      totalNs: numberOf(cpu, "usage_usec") * 1000,
      kernelNs: numberOf(cpu, "system_usec") * 1000,
      userNs: numberOf(cpu, "user_usec") * 1000,
      periods: numberOf(cpu, "nr_periods"),
      throttledPeriods: numberOf(cpu, "nr_throttled"),
      throttledNs: numberOf(cpu, "throttled_usec") * 1000,
    },
    ...(usage !== undefined && {
      memory: {
        usageBytes: Number(usage),
        failures: numberOf(parseCounters(events), "oom"),
        ...(limit !== undefined && limit.trim() !== "max" && { limitBytes: BigInt(limit.trim()) }),
        details: parseCounters(details),
      },
    }),
    ...(pids && { pids }),
    block: parseBlockV2(io),
  };
}

async function readPids(cgroup: ContainerCgroup): Promise<CgroupUsage["pids"]> {
  const [current, limit] = await Promise.all([
    cgroup.read("pids", "pids.current"),
    cgroup.read("pids", "pids.max"),
  ]);
  if (current === undefined) return undefined;
  const limited = limit !== undefined && limit.trim() !== "max";
  return { current: Number(current), ...(limited && { limit: Number(limit) }) };
}

/** `name number` lines. */
export function parseCounters(text: string | undefined): Readonly<Record<string, bigint>> {
  const found: [string, bigint][] = [];
  for (const line of (text ?? "").split("\n")) {
    const [, name, value] = /^(\S+) (\d+)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found.push([name, BigInt(value)]);
  }
  return Object.fromEntries(found);
}

function numberOf(counters: Readonly<Record<string, bigint>>, name: string): number {
  return Number(counters[name] ?? 0n);
}

/** `8:0 Read 4096` lines; the last one, `Total 4096`, is of no device. */
export function parseBlockV1(text: string | undefined): readonly BlockUsage[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const [, major, minor, operation, value] = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line) ?? [];
    if (operation === undefined) return [];
    return [{ major: Number(major), minor: Number(minor), operation, value: Number(value) }];
  });
}

/** `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0` lines. */
export function parseBlockV2(text: string | undefined): CgroupUsage["block"] {
  const bytes: BlockUsage[] = [];
  const operations: BlockUsage[] = [];
  for (const line of (text ?? "").split("\n")) {
    const [, major, minor, rest = ""] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
    for (const [, key, value] of rest.matchAll(/(\w+)=(\d+)/g)) {
      const operation = key?.startsWith("r") ? "read" : "write";
      const entry = { major: Number(major), minor: Number(minor), operation, value: Number(value) };
      if (key === "rbytes" || key === "wbytes") bytes.push(entry);
      if (key === "rios" || key === "wios") operations.push(entry);
    }
  }
  return { bytes, operations };
}
