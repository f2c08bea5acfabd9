import type { RuntimeBlockThrottle, RuntimeDeviceRule, RuntimeResources, RuntimeRlimit } from "@hawser/oci";
import type { Resources, ThrottleDevice } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";
import type { SpecInput } from "./spec-input.ts";

/** Period of the CPU quota that `--cpus` means. */
const cpuPeriodUs = 100_000;

/**
 * `linux.resources`. Only what was asked for is set, and only what the host's cgroup mode has: swappiness, OOM killer off
 * and real-time limits are v1's.
 */
export function buildResources(
  input: Pick<SpecInput, "hostConfig" | "host" | "devices">,
  deviceRules: readonly RuntimeDeviceRule[],
): RuntimeResources {
  const { hostConfig } = input;
  const onV1 = input.host.cgroups.mode === "v1";
  const memory = buildMemory(input, onV1);
  const cpu = buildCpu(hostConfig, onV1);
  const blockIO = buildBlockIo(input);
  const pids = hostConfig.pidsLimit ?? 0;
  return {
    devices: deviceRules,
    ...(isFilled(memory) && { memory }),
    ...(isFilled(cpu) && { cpu }),
    ...(isFilled(blockIO) && { blockIO }),
    ...(pids > 0 && { pids: { limit: pids } }),
  };
}

/** Memory and swap together: twice the memory when nothing was said; absent: not limited. */
function memorySwapOf({ memoryBytes, memorySwapBytes }: Resources): number | undefined {
  if (memoryBytes <= 0 || memorySwapBytes < 0) return undefined;
  return memorySwapBytes === 0 ? memoryBytes * 2 : memorySwapBytes;
}

function buildMemory(
  { hostConfig, host }: Pick<SpecInput, "hostConfig" | "host">,
  onV1: boolean,
): NonNullable<RuntimeResources["memory"]> {
  const swap = host.swapAccounting ? memorySwapOf(hostConfig) : undefined;
  const swappiness = hostConfig.memorySwappiness ?? -1;
  return {
    ...(hostConfig.memoryBytes > 0 && { limit: hostConfig.memoryBytes }),
    ...(hostConfig.memoryReservationBytes > 0 && { reservation: hostConfig.memoryReservationBytes }),
    ...(swap !== undefined && { swap }),
    ...(onV1 && swappiness >= 0 && { swappiness }),
    ...(onV1 && hostConfig.oomKillDisable === true && { disableOOMKiller: true }),
  };
}

function buildCpu(resources: Resources, onV1: boolean): NonNullable<RuntimeResources["cpu"]> {
  const { nanoCpus, cpuPeriodUs: period, cpuQuotaUs: quota } = resources;
  const quotaOfCpus = Math.floor((nanoCpus * cpuPeriodUs) / 1e9);
  return {
    ...(resources.cpuShares > 0 && { shares: resources.cpuShares }),
    ...(nanoCpus > 0 && { period: cpuPeriodUs, quota: quotaOfCpus }),
    ...(period > 0 && { period }),
    ...(quota !== 0 && { quota }),
    ...(onV1 && resources.cpuRealtimePeriodUs > 0 && { realtimePeriod: resources.cpuRealtimePeriodUs }),
    ...(onV1 && resources.cpuRealtimeRuntimeUs > 0 && { realtimeRuntime: resources.cpuRealtimeRuntimeUs }),
    ...(resources.cpusetCpus !== "" && { cpus: resources.cpusetCpus }),
    ...(resources.cpusetMems !== "" && { mems: resources.cpusetMems }),
  };
}

function buildBlockIo({
  hostConfig,
  devices,
}: Pick<SpecInput, "hostConfig" | "devices">): NonNullable<RuntimeResources["blockIO"]> {
  const numbersOf = (path: string) => {
    const numbers = devices.numbers.get(path);
    if (numbers === undefined) throw runtimeFaults.RESOURCE_INVALID(`no such device: "${path}"`);
    return numbers;
  };
  const throttles = (wanted: readonly ThrottleDevice[]): RuntimeBlockThrottle[] =>
    wanted.map(({ path, rate }) => ({ ...numbersOf(path), rate }));
  const weights = hostConfig.blkioWeightDevice.map(({ path, weight }) => ({ ...numbersOf(path), weight }));
  return {
    ...(hostConfig.blkioWeight > 0 && { weight: hostConfig.blkioWeight }),
    ...(weights.length > 0 && { weightDevice: weights }),
    ...list("throttleReadBpsDevice", throttles(hostConfig.blkioDeviceReadBps)),
    ...list("throttleWriteBpsDevice", throttles(hostConfig.blkioDeviceWriteBps)),
    ...list("throttleReadIOPSDevice", throttles(hostConfig.blkioDeviceReadIops)),
    ...list("throttleWriteIOPSDevice", throttles(hostConfig.blkioDeviceWriteIops)),
  };
}

type ThrottleKey =
  | "throttleReadBpsDevice"
  | "throttleWriteBpsDevice"
  | "throttleReadIOPSDevice"
  | "throttleWriteIOPSDevice";

function list(
  key: ThrottleKey,
  throttles: readonly RuntimeBlockThrottle[],
): Partial<Record<ThrottleKey, readonly RuntimeBlockThrottle[]>> {
  return throttles.length > 0 ? { [key]: throttles } : {};
}

function isFilled(value: object): boolean {
  return Object.keys(value).length > 0;
}

const ulimitNames: ReadonlySet<string> = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(
    " ",
  ),
);

/**
 * `process.rlimits`; -1: no limit.
 *
 * @throws {Fault} `invalid-argument` for a limit that Linux does not have, or a soft one above the hard one.
 */
export function buildRlimits(ulimits: Resources["ulimits"]): readonly RuntimeRlimit[] {
  return ulimits.map(({ name, soft, hard }) => {
    if (!ulimitNames.has(name)) throw runtimeFaults.ULIMIT_INVALID(`invalid ulimit type: ${name}`);
    if (hard !== -1 && (soft === -1 || soft > hard)) {
      throw runtimeFaults.ULIMIT_INVALID(
        `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
      );
    }
    return { type: `RLIMIT_${name.toUpperCase()}`, soft: unlimited(soft), hard: unlimited(hard) };
  });
}

/** RLIM_INFINITY is the largest 64-bit number, more than a JavaScript number holds exactly. */
function unlimited(value: number): number | bigint {
  return value < 0 ? 2n ** 64n - 1n : value;
}
