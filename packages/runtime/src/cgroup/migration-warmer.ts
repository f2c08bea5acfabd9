import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupLayout } from "./cgroup-layout.ts";

/** Twice within this time is once: the kernel's state lasts for about one grace period. */
const lastsMs = 10;

/**
 * Takes a wait out of container starts. The first process that is moved into a cgroup after a quiet time waits for an RCU
 * grace period (8 to 30 ms: the kernel's `cgroup_threadgroup_rwsem` leaves its readers' fast path); those that follow
 * within the next one do not. The OCI runtime's move is in the middle of a start. `warm`, called when a start is only
 * foreseen, lets that grace period begin earlier, beside the work that comes before the move: it moves this process to where
 * it already is, which changes nothing.
 */
export class MigrationWarmer {
  readonly #path: string | undefined;
  readonly #now: () => number;
  #lastMs = Number.NEGATIVE_INFINITY;

  private constructor(path: string | undefined, now: () => number) {
    this.#path = path;
    this.#now = now;
  }

  /** @param options.now milliseconds of any clock */
  static async open(options: {
    readonly layout: CgroupLayout;
    readonly now: () => number;
  }): Promise<MigrationWarmer> {
    return new MigrationWarmer(await findOwnCgroup(options.layout), options.now);
  }

  /** Begin; returns at once. A kernel that refuses makes starts no slower than they were. */
  warm(): void {
    const now = this.#now();
    if (this.#path === undefined || now - this.#lastMs < lastsMs) return;
    this.#lastMs = now;
    writeFile(this.#path, String(process.pid)).catch(() => {
      this.#lastMs = Number.POSITIVE_INFINITY;
    });
  }
}

/** `cgroup.procs` of the cgroup that this process is in, in the first hierarchy that is in use and visible. */
async function findOwnCgroup({ mode, mountPoints }: CgroupLayout): Promise<string | undefined> {
  const lines = (await readFile("/proc/self/cgroup", "utf8")).split("\n").map((line) => line.split(":"));
  for (const mountPoint of mountPoints) {
    const line = lines.find(([, controllers = ""]) =>
      mode === "v2" ? controllers === "" : mountPoint.endsWith(`/${controllers}`),
    );
    const path = line?.slice(2).join(":");
    if (path === undefined) continue;
    const procs = join(mountPoint, path, "cgroup.procs");
    const members = await readFile(procs, "utf8").catch(() => "");
    if (members.split("\n").includes(String(process.pid))) return procs;
  }
  return undefined;
}
