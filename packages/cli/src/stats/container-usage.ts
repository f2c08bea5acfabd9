import type { ContainerStats } from "@hawser/api";
import type { ContainerUsage } from "../format/stats-fields.ts";

/** What a report of the engine says, in Docker's way of counting: the file cache that is not in use is no memory used. */
export function usageOf(stats: ContainerStats): ContainerUsage {
  const blocks = stats.blkio_stats.io_service_bytes_recursive ?? [];
  const moved = (letter: string) =>
    sum(blocks.filter(({ op }) => op.toLowerCase().startsWith(letter)).map(({ value }) => value));
  const networks = Object.values(stats.networks ?? {});
  return {
    cpuPercent: cpuPercent(stats),
    memoryBytes: memoryInUse(stats.memory_stats),
    memoryLimitBytes: stats.memory_stats.limit ?? 0,
    receivedBytes: sum(networks.map(({ rx_bytes }) => rx_bytes)),
    sentBytes: sum(networks.map(({ tx_bytes }) => tx_bytes)),
    readBytes: moved("r"),
    writtenBytes: moved("w"),
    processCount: stats.pids_stats.current ?? 0,
  };
}

/** 100 is one processor. */
function cpuPercent({ cpu_stats: now, precpu_stats: before }: ContainerStats): number {
  const own = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const machine = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  if (own <= 0 || machine <= 0) return 0;
  const processors = now.online_cpus || now.cpu_usage.percpu_usage?.length || 0;
  return (own / machine) * processors * 100;
}

function memoryInUse({ usage = 0, stats = {} }: ContainerStats["memory_stats"]): number {
  // cgroup v1 has the first, v2 the second
  const idle = stats["total_inactive_file"] ?? stats["inactive_file"] ?? 0;
  return idle < usage ? usage - idle : usage;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
