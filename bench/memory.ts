import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * Process ids whose name (`comm`) the pattern matches and that live in this network namespace: the sandbox's, so neither
 * another engine's on this machine nor a container's own.
 */
export function findProcesses(name: RegExp): number[] {
  const own = readlinkSync("/proc/self/ns/net");
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          name.test(readFileSync(`/proc/${pid}/comm`, "utf8").trim()) &&
          readlinkSync(`/proc/${pid}/ns/net`) === own
        );
      } catch {
        return false; // it ended meanwhile
      }
    });
}

/** Proportional set size of some processes together, in bytes. */
export function pssBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + field(pid, "smaps_rollup", "Pss"), 0);
}

/** Resident set size of some processes together, in bytes. */
export function rssBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + field(pid, "status", "VmRSS"), 0);
}

/** Processor time, own and system's, that some processes have used so far. */
export function cpuSeconds(pids: readonly number[]): number {
  const ticksPerSecond = 100;
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from field 3 of proc(5) on
    return sum + (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }, 0);
}

function field(pid: number, file: string, name: string): number {
  const [, kilobytes] =
    new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8")) ?? [];
  return Number(kilobytes ?? 0) * 1024;
}
