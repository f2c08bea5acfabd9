import { existsSync } from "node:fs";
import { join } from "node:path";
import type { RuntimeProgram } from "../containers/host.ts";

/** In order of preference: the first that is installed is the default. */
export const knownRuntimes = ["crun", "runc"] as const;

/** What containerd calls runc, and its clients therefore may ask for. */
const shimName = "io.containerd.runc.v2";

/** The OCI runtimes that this host has. */
export function findRuntimes(path: string): Record<string, RuntimeProgram> {
  const found: Record<string, RuntimeProgram> = {};
  const folders = [...path.split(":"), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];
  for (const name of knownRuntimes) {
    const folder = folders.find((candidate) => candidate !== "" && existsSync(join(candidate, name)));
    if (folder !== undefined) found[name] = { path: join(folder, name), args: [] };
  }
  const [first] = Object.values(found);
  const shim = found["runc"] ?? first;
  return { ...found, ...(shim && { [shimName]: shim }) };
}
