import type { HostConfig } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";
import type { HostFacts } from "./spec-input.ts";

const minimumMemoryBytes = 6 * 1024 * 1024;

/**
 * Check the limits of a container. Returns warnings for the user.
 *
 * @throws {Fault} `invalid-argument` with Docker's words.
 */
export function checkResources(wanted: HostConfig, host: HostFacts): readonly string[] {
  const warnings = [...checkMemory(wanted, host), ...checkWeights(wanted, host)];
  checkCpu(wanted, host);
  if (Math.abs(wanted.oomScoreAdj) > 1000) {
    refuse(`Invalid value ${wanted.oomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  if (wanted.shmSizeBytes < 0) refuse("SHM size can not be less than 0");
  return warnings;
}

function checkMemory(wanted: HostConfig, host: HostFacts): readonly string[] {
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, memorySwappiness = -1 } = wanted;
  if (memoryBytes !== 0 && memoryBytes < minimumMemoryBytes) refuse("Minimum memory limit allowed is 6MB");
  if (memoryBytes > 0 && memorySwapBytes > 0 && memorySwapBytes < memoryBytes) {
    refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (memoryBytes === 0 && memorySwapBytes > 0) {
    refuse("You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (memorySwappiness < -1 || memorySwappiness > 100) {
    refuse(`Invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
  }
  if (memoryReservationBytes !== 0 && memoryReservationBytes < minimumMemoryBytes) {
    refuse("Minimum memory reservation allowed is 6MB");
  }
  if (memoryBytes > 0 && memoryReservationBytes > memoryBytes) {
    refuse("Minimum memory limit can not be less than memory reservation limit, see usage");
  }
  const warnings: string[] = [];
  if (memoryBytes > 0 && memorySwapBytes !== -1 && !host.swapAccounting) {
    warnings.push(
      "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.",
    );
  }
  if (wanted.oomKillDisable === true && host.cgroups.mode === "v2") {
    warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
  } else if (wanted.oomKillDisable === true && memoryBytes === 0) {
    warnings.push(
      "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
    );
  }
  return warnings;
}

function* checkWeights({ blkioWeight, blkioWeightDevice }: HostConfig, host: HostFacts): Generator<string> {
  if (blkioWeight !== 0 && (blkioWeight < 10 || blkioWeight > 1000)) {
    refuse("Range of blkio weight is from 10 to 1000");
  }
  const missing = "or the cgroup is not mounted.";
  if (blkioWeight !== 0 && !host.blockWeight)
    yield `Your kernel does not support Block I/O weight ${missing} Weight discarded.`;
  if (blkioWeightDevice.length > 0 && !host.blockDeviceWeight)
    yield `Your kernel does not support Block I/O weight_device ${missing} Weight-device discarded.`;
}

/** The same without what `checkResources` says is discarded. */
export function withoutDiscarded<T extends Partial<HostConfig>>(wanted: T, host: HostFacts): T {
  return {
    ...wanted,
    ...(!host.blockWeight && { blkioWeight: 0 }),
    ...(!host.blockDeviceWeight && "blkioWeightDevice" in wanted && { blkioWeightDevice: [] }),
  };
}

function checkCpu(wanted: HostConfig, host: HostFacts): void {
  const { nanoCpus, cpuPeriodUs, cpuQuotaUs, cpusetCpus, cpusetMems } = wanted;
  if (nanoCpus > 0 && cpuPeriodUs > 0) {
    refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  }
  if (nanoCpus > 0 && cpuQuotaUs > 0) {
    refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  }
  const cpuCount = parseList(host.onlineCpus)?.length ?? 1;
  if (nanoCpus < 0 || nanoCpus > cpuCount * 1e9) {
    refuse(`range of CPUs is from 0.01 to ${cpuCount}.00, as there are only ${cpuCount} CPUs available`);
  }
  if (wanted.cpuShares < 0)
    refuse(`invalid CPU shares (${wanted.cpuShares}): value must be a positive integer`);
  if (cpuPeriodUs !== 0 && (cpuPeriodUs < 1000 || cpuPeriodUs > 1_000_000)) {
    refuse("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  }
  if (cpuQuotaUs > 0 && cpuQuotaUs < 1000) refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  checkSet(cpusetCpus, { available: host.onlineCpus, name: "cpus", things: "CPUs" });
  checkSet(cpusetMems, { available: host.onlineMemoryNodes, name: "mems", things: "memory nodes" });
}

function checkSet(
  text: string,
  set: { readonly available: string; readonly name: string; readonly things: string },
): void {
  if (text === "") return;
  const wanted = parseList(text);
  if (wanted === undefined)
    return refuse(`Invalid value ${text} for cpuset ${set.name}: invalid format: ${text}`);
  const available = new Set(parseList(set.available));
  if (!wanted.every((number) => available.has(number))) {
    refuse(`Requested ${set.things} are not available - requested ${text}, available: ${set.available}`);
  }
}

/** The numbers of a kernel's list such as `0-2,7`; `undefined` when it is none. */
function parseList(text: string): readonly number[] | undefined {
  const numbers: number[] = [];
  for (const part of text.split(",")) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    if (first === undefined || Number(last) < Number(first)) return undefined;
    for (let number = Number(first); number <= Number(last); number += 1) numbers.push(number);
  }
  return numbers;
}

function refuse(text: string): never {
  throw runtimeFaults.RESOURCE_INVALID(text);
}
