import { existsSync } from "node:fs";
import { readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "@hawser/base";
import { eventually } from "@hawser/base/testing";

/**
 * Remove top-level cgroups by name, with all below them, in every hierarchy (v1 controllers, hybrid's unified one, pure v2).
 * Waits for processes in them to be gone.
 */
export async function removeCgroups(names: readonly string[]): Promise<void> {
  const top = "/sys/fs/cgroup";
  const hierarchies = [top, ...(await folders(top)).map((name) => join(top, name))];
  for (const hierarchy of hierarchies) {
    if (!existsSync(join(hierarchy, "cgroup.procs"))) continue;
    for (const name of names) await removeTree(join(hierarchy, name));
  }
}

async function removeTree(path: string): Promise<void> {
  for (const name of await folders(path)) await removeTree(join(path, name));
  await eventually(
    async () => {
      try {
        await rmdir(path);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw error;
      }
      return true;
    },
    { what: `cgroup ${path} is empty` },
  );
}

async function folders(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}
