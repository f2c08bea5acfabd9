import { readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errnoOf } from "@hawser/base";
import { type HostConfig, thaw } from "@hawser/runtime";
import { type ContainerHost, containerCgroupOf } from "./host.ts";

/**
 * Clean up after a monitor that died: end what it left running, take its cgroups and the run directory away. What it had
 * mounted went with its mount namespace.
 */
export async function reapRun(
  host: ContainerHost,
  { id, hostConfig }: { readonly id: string; readonly hostConfig: Pick<HostConfig, "cgroupParent"> },
): Promise<void> {
  const cgroup = containerCgroupOf(host, { id, hostConfig });
  await thaw(cgroup); // what is frozen cannot die on v1
  for (const folder of cgroup.folders) {
    for (let attempt = 0; attempt < 500; attempt += 1) {
      if (await removeCgroup(folder)) break;
      await delay(10);
    }
  }
  await rm(join(host.execRoot, "containers", id), { recursive: true, force: true });
}

/** One try; true when the cgroup is gone. */
async function removeCgroup(folder: string): Promise<boolean> {
  try {
    for (const pid of (await readFile(join(folder, "cgroup.procs"), "utf8")).split("\n")) {
      if (pid !== "") process.kill(Number(pid), "SIGKILL");
    }
    await writeFile(join(folder, "cgroup.kill"), "1").catch(() => {}); // cgroup v2 from Linux 5.14; else the loop above
    await rmdir(folder);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return true;
    if (errnoOf(error) === "EBUSY" || errnoOf(error) === "ESRCH" || errnoOf(error) === "ENOTEMPTY")
      return false;
    throw error;
  }
}
