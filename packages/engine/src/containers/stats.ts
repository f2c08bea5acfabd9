import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { type CgroupUsage, readCgroupUsage } from "@hawser/runtime";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerCgroupOf } from "./host.ts";
import { type InterfaceCounters, type MachineTime, parseNetDev, parseProcStat } from "./proc-counters.ts";

/** What a container has used until a moment. */
export interface UsageSample {
  readonly readAtMs: number;
  readonly usage: CgroupUsage;
  /** Processor time of the whole machine, to compare with. */
  readonly machine: MachineTime;
  readonly machineMemoryBytes: number;
  /** By interface; absent when the container shares the host's network. */
  readonly networks?: Readonly<Record<string, InterfaceCounters>>;
}

/** A sample, and the one before it where there is one. */
export interface UsageReport {
  readonly sample?: UsageSample;
  readonly previous?: UsageSample;
}

const intervalMs = 1000;

/** What a container has used until now. Empty when it does not run. */
export async function sampleUsage(
  { host }: Collaborators,
  container: Container,
): Promise<UsageSample | undefined> {
  const { record, monitor } = container;
  if (monitor === undefined) return undefined;
  const [usage, procStat, netDev] = await Promise.all([
    readCgroupUsage(containerCgroupOf(host, record)),
    readFile("/proc/stat", "utf8"),
    record.hostConfig.networkMode === "host" ? undefined : readIfThere(`/proc/${record.state.pid}/net/dev`),
  ]);
  if (usage === undefined) return undefined;
  return {
    readAtMs: host.now(),
    usage,
    machine: parseProcStat(procStat),
    machineMemoryBytes: totalmem(),
    ...(netDev !== undefined && { networks: parseNetDev(netDev) }),
  };
}

/**
 * A container's usage once a second, from now on, the first without a sample before it. Goes on, empty, while the container
 * does not run, and ends when it is removed or `signal` fires.
 */
export async function* followUsage(
  collaborators: Collaborators,
  container: Container,
  signal: AbortSignal,
): AsyncGenerator<UsageReport, void, undefined> {
  let previous: UsageSample | undefined;
  while (!signal.aborted && container.record.state.status !== "removing") {
    const sample = await sampleUsage(collaborators, container);
    yield { ...(sample && { sample }), ...(previous && sample && { previous }) };
    previous = sample;
    await delay(intervalMs, undefined, { signal }).catch(() => {});
  }
}

/** The process may have ended. */
async function readIfThere(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}
