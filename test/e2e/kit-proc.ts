import { readdirSync, readFileSync } from "node:fs";

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** `comm`: at most 15 characters. */
  readonly name: string;
  /** Arguments with spaces between. */
  readonly command: string;
  /** Clock ticks since boot. */
  readonly startedAt: number;
}

/** Processes as /proc shows them, without zombies and kernel threads. */
export function findProcesses(wanted: (entry: ProcessEntry) => boolean): ProcessEntry[] {
  const found: ProcessEntry[] = [];
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const entry = readEntry(pid);
    if (entry !== undefined && wanted(entry)) found.push(entry);
  }
  return found;
}

/** Targets of mounts at or below a path, in this mount namespace, outer ones first. */
export function findMounts(path: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((target) => target === path || target.startsWith(`${path}/`));
}

function readEntry(pid: string): ProcessEntry | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    if (command === "") return undefined;
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const end = stat.lastIndexOf(")");
    const fields = stat.slice(end + 2).split(" "); // from field 3 of proc(5) on
    return {
      pid: Number(pid),
      name: stat.slice(stat.indexOf("(") + 1, end),
      parent: Number(fields[1]),
      startedAt: Number(fields[19]),
      command,
    };
  } catch {
    return undefined; // it ended meanwhile
  }
}
