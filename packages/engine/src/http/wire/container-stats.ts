import type { BlockUsage, CgroupUsage } from "@hawser/runtime";
import type { Container } from "../../containers/container.ts";
import type { InterfaceCounters } from "../../containers/proc-counters.ts";
import type { UsageReport, UsageSample } from "../../containers/stats.ts";
import { formatTime } from "./container-inspect.ts";

/**
 * One report of `GET /containers/{id}/stats` as text, in Docker's names: the kernel's numbers for "no limit" are more than
 * `JSON.stringify` can write. Without a sample everything is there and says nothing, as Docker shows a stopped container.
 */
export function formatStats(container: Container, { sample, previous }: UsageReport): string {
  const stats = {
    read: formatTime(sample?.readAtMs ?? 0),
    preread: formatTime(previous?.readAtMs ?? 0),
    pids_stats: sample?.usage.pids ?? {},
    blkio_stats: formatBlock(sample?.usage.block),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: formatCpu(sample),
    precpu_stats: formatCpu(previous),
    memory_stats: sample?.usage.memory ? formatMemory(sample.usage.memory, sample.machineMemoryBytes) : {},
    name: `/${container.record.name}`,
    id: container.id,
    ...formatNetworks(sample?.networks ?? {}),
  };
  return writeJson(stats);
}

const noCpu: CgroupUsage["cpu"] = {
  totalNs: 0,
  kernelNs: 0,
  userNs: 0,
  periods: 0,
  throttledPeriods: 0,
  throttledNs: 0,
};

function formatCpu(sample: UsageSample | undefined): object {
  const cpu = sample?.usage.cpu ?? noCpu;
  return {
    cpu_usage: {
      total_usage: cpu.totalNs,
      ...(cpu.byProcessorNs && { percpu_usage: cpu.byProcessorNs }),
      usage_in_kernelmode: cpu.kernelNs,
      usage_in_usermode: cpu.userNs,
    },
    ...(sample && {
      system_cpu_usage: sample.machine.totalNs,
      online_cpus: sample.machine.processorCount,
    }),
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledNs,
    },
  };
}

/** A limit above what the machine has is none. */
function formatMemory(memory: NonNullable<CgroupUsage["memory"]>, machineBytes: number): object {
  const limit = Math.min(Number(memory.limitBytes ?? machineBytes), machineBytes);
  return {
    usage: memory.usageBytes,
    ...(memory.maxUsageBytes !== undefined && { max_usage: memory.maxUsageBytes }),
    stats: memory.details,
    ...(memory.failures > 0 && { failcnt: memory.failures }),
    limit,
  };
}

function formatBlock(block: CgroupUsage["block"] | undefined): object {
  const list = (entries: readonly BlockUsage[] | undefined) =>
    entries?.map(({ major, minor, operation, value }) => ({ major, minor, op: operation, value })) ?? null;
  const nothing = block === undefined ? null : [];
  return {
    io_service_bytes_recursive: list(block?.bytes),
    io_serviced_recursive: list(block?.operations),
    io_queue_recursive: nothing,
    io_service_time_recursive: nothing,
    io_wait_time_recursive: nothing,
    io_merged_recursive: nothing,
    io_time_recursive: nothing,
    sectors_recursive: nothing,
  };
}

function formatNetworks(networks: Readonly<Record<string, InterfaceCounters>>): object {
  const entries = Object.entries(networks).map(([name, counters]) => [
    name,
    {
      rx_bytes: counters.receivedBytes,
      rx_packets: counters.receivedPackets,
      rx_errors: counters.receiveErrors,
      rx_dropped: counters.receiveDropped,
      tx_bytes: counters.sentBytes,
      tx_packets: counters.sentPackets,
      tx_errors: counters.sendErrors,
      tx_dropped: counters.sendDropped,
    },
  ]);
  return entries.length === 0 ? {} : { networks: Object.fromEntries(entries) };
}

/** JSON whose whole numbers may be larger than a double is exact. */
function writeJson(value: unknown): string {
  const text = JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "bigint" ? `\0${item}` : item,
  );
  return text.replace(/"\\u0000(\d+)"/g, "$1");
}
