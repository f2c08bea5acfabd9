import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const top = "/sys/fs/cgroup";

/** The folder of a process' cgroup. */
export function cgroupOf(pid: number): string {
  return join(top, readCgroupPath(pid));
}

/** Path of a process' cgroup in the unified hierarchy. @throws {Error} when it is in any other hierarchy too. */
export function readCgroupPath(pid: number): string {
  const text = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const [, path] = /^0::(\/.*)\n$/.exec(text) ?? [];
  if (path === undefined) throw new Error(`process ${pid} is not in the unified hierarchy alone: ${text}`);
  return path;
}

/** Content of a control file, without its last newline. */
export function readControl(cgroup: string, file: string): string {
  return readFileSync(join(cgroup, file), "utf8").trimEnd();
}

/** A counter of a control file of `key value` lines. */
export function readCounter(cgroup: string, file: string, key: string): number {
  const line = readControl(cgroup, file)
    .split("\n")
    .find((text) => text.startsWith(`${key} `));
  if (line === undefined) throw new Error(`no ${key} in ${file} of ${cgroup}`);
  return Number(line.slice(key.length + 1));
}

/** Names of the cgroups right below a path of the hierarchy; none when it does not exist. */
export function childrenOf(path: string): string[] {
  try {
    return readdirSync(join(top, path), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
