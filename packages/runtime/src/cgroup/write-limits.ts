import type { Resources } from "../container-config.ts";
import type { CgroupController, ContainerCgroup } from "./container-cgroup.ts";

/** The limits that can change while a container runs. */
export type LiveLimits = Pick<
  Resources,
  | "blkioWeight"
  | "cpuPeriodUs"
  | "cpuQuotaUs"
  | "cpuRealtimePeriodUs"
  | "cpuRealtimeRuntimeUs"
  | "cpuShares"
  | "cpusetCpus"
  | "cpusetMems"
  | "memoryBytes"
  | "memoryReservationBytes"
  | "memorySwapBytes"
  | "nanoCpus"
  | "pidsLimit"
>;

interface Setting {
  readonly controller: CgroupController;
  readonly file: string;
  readonly text: string;
}

/**
 * Give a running container other limits.
 *
 * @param limits all of them as they shall be from now on
 * @param changed the ones that are new; the others' files are left alone
 * @throws the kernel's refusal, as Node tells it: memory that is in use, a processor that is not there. Limits that were
 *   written before it stay.
 */
export async function writeLimits(
  cgroup: ContainerCgroup,
  { limits, changed }: { readonly limits: LiveLimits; readonly changed: ReadonlySet<keyof LiveLimits> },
): Promise<void> {
  const settings =
    cgroup.mode === "v1"
      ? [...(await memoryV1(cgroup, limits, changed)), ...othersV1(limits, changed)]
      : settingsV2(limits, changed);
  for (const { controller, file, text } of settings) await cgroup.write(controller, file, text);
}

type Changed = ReadonlySet<keyof LiveLimits>;

/** v1 wants memory below memory and swap together at all times: what grows goes last for the one, first for the other. */
async function memoryV1(cgroup: ContainerCgroup, limits: LiveLimits, changed: Changed): Promise<Setting[]> {
  const setting = (file: string, value: number): Setting => ({
    controller: "memory",
    file,
    text: String(value),
  });
  const memory = changed.has("memoryBytes") ? [setting("memory.limit_in_bytes", limits.memoryBytes)] : [];
  const swap = changed.has("memorySwapBytes")
    ? [setting("memory.memsw.limit_in_bytes", limits.memorySwapBytes)]
    : [];
  const reservation = changed.has("memoryReservationBytes")
    ? [setting("memory.soft_limit_in_bytes", limits.memoryReservationBytes)]
    : [];
  const now = Number((await cgroup.read("memory", "memory.memsw.limit_in_bytes")) ?? "0");
  const swapGrows = limits.memorySwapBytes < 0 || limits.memorySwapBytes > now;
  return [...(swapGrows ? [...swap, ...memory] : [...memory, ...swap]), ...reservation];
}

function othersV1(limits: LiveLimits, changed: Changed): Setting[] {
  const { period, quota } = cpuTimeOf(limits);
  const rows: readonly (readonly [boolean, CgroupController, string, string | number])[] = [
    [changed.has("cpuShares"), "cpu", "cpu.shares", limits.cpuShares],
    [changesCpuTime(changed), "cpu", "cpu.cfs_period_us", period],
    [changesCpuTime(changed), "cpu", "cpu.cfs_quota_us", quota],
    [changed.has("cpuRealtimePeriodUs"), "cpu", "cpu.rt_period_us", limits.cpuRealtimePeriodUs],
    [changed.has("cpuRealtimeRuntimeUs"), "cpu", "cpu.rt_runtime_us", limits.cpuRealtimeRuntimeUs],
    [changed.has("cpusetCpus"), "cpuset", "cpuset.cpus", limits.cpusetCpus],
    [changed.has("cpusetMems"), "cpuset", "cpuset.mems", limits.cpusetMems],
    [changed.has("pidsLimit"), "pids", "pids.max", orMax(limits.pidsLimit ?? 0)],
    [changed.has("blkioWeight"), "blkio", "blkio.weight", limits.blkioWeight],
    [changed.has("blkioWeight"), "blkio", "blkio.bfq.weight", limits.blkioWeight],
  ];
  return toSettings(rows);
}

function settingsV2(limits: LiveLimits, changed: Changed): Setting[] {
  const { period, quota } = cpuTimeOf(limits);
  const { memoryBytes, memorySwapBytes } = limits;
  const swapOnly = memorySwapBytes < 0 ? -1 : Math.max(0, memorySwapBytes - memoryBytes);
  const changesSwap = changed.has("memorySwapBytes") && memorySwapBytes !== 0;
  const rows: readonly (readonly [boolean, CgroupController, string, string | number])[] = [
    [changed.has("memoryBytes"), "memory", "memory.max", orMax(memoryBytes)],
    [changesSwap, "memory", "memory.swap.max", swapOnly < 0 ? "max" : swapOnly],
    [changed.has("memoryReservationBytes"), "memory", "memory.low", limits.memoryReservationBytes],
    [changed.has("cpuShares"), "cpu", "cpu.weight", cpuWeightOf(limits.cpuShares)],
    [changesCpuTime(changed), "cpu", "cpu.max", `${quota < 0 ? "max" : quota} ${period}`],
    [changed.has("cpusetCpus"), "cpuset", "cpuset.cpus", limits.cpusetCpus],
    [changed.has("cpusetMems"), "cpuset", "cpuset.mems", limits.cpusetMems],
    [changed.has("pidsLimit"), "pids", "pids.max", orMax(limits.pidsLimit ?? 0)],
    [changed.has("blkioWeight"), "blkio", "io.weight", ioWeightOf(limits.blkioWeight)],
    [changed.has("blkioWeight"), "blkio", "io.bfq.weight", limits.blkioWeight],
  ];
  return toSettings(rows);
}

function toSettings(
  rows: readonly (readonly [boolean, CgroupController, string, string | number])[],
): Setting[] {
  return rows.flatMap(([wanted, controller, file, value]) =>
    wanted ? [{ controller, file, text: String(value) }] : [],
  );
}

/** Period and quota in microseconds; a quota of -1: none. `--cpus` is a quota of a tenth of a second's period. */
function cpuTimeOf({ nanoCpus, cpuPeriodUs, cpuQuotaUs }: LiveLimits): {
  readonly period: number;
  readonly quota: number;
} {
  if (nanoCpus > 0) return { period: 100_000, quota: Math.floor(nanoCpus / 10_000) };
  return { period: cpuPeriodUs || 100_000, quota: cpuQuotaUs || -1 };
}

function changesCpuTime(changed: Changed): boolean {
  return changed.has("nanoCpus") || changed.has("cpuPeriodUs") || changed.has("cpuQuotaUs");
}

function orMax(limit: number): string | number {
  return limit > 0 ? limit : "max";
}

/** v1's 2 to 262144 as v2's 1 to 10000, as OCI runtimes do. */
export function cpuWeightOf(shares: number): number {
  const inRange = Math.min(262_144, Math.max(2, shares));
  return 1 + Math.floor(((inRange - 2) * 9999) / 262_142);
}

/** v1's 10 to 1000 as v2's 1 to 10000. */
function ioWeightOf(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}
