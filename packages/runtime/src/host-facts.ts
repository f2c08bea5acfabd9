import { readFile } from "node:fs/promises";
import { release } from "node:os";
import { errnoOf } from "@hawser/base";
import { type CgroupLayout, parseCgroupLayout } from "./cgroup/cgroup-layout.ts";
import { parseCapabilityMask } from "./spec/capabilities.ts";
import type { HostFacts } from "./spec/spec-input.ts";

/** The AppArmor profile that Docker's packages load, made for containers such as ours. */
const dockerProfile = "docker-default";

/** Look at this host: what `buildSpec` must know of it. */
export async function readHostFacts(): Promise<HostFacts> {
  const [mountInfo, status, appArmor, profiles] = await Promise.all([
    readFile("/proc/self/mountinfo", "utf8"),
    readFile("/proc/self/status", "utf8"),
    readIfThere("/sys/module/apparmor/parameters/enabled"),
    readIfThere("/sys/kernel/security/apparmor/profiles"),
  ]);
  const cgroups = parseCgroupLayout(mountInfo);
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  return {
    cgroups,
    architecture: process.arch,
    kernelRelease: release(),
    onlineCpus: (await readIfThere("/sys/devices/system/cpu/online"))?.trim() ?? "0",
    onlineMemoryNodes: (await readIfThere("/sys/devices/system/node/online"))?.trim() ?? "0",
    capabilities: parseCapabilityMask(bounding),
    appArmor: appArmor?.startsWith("Y") === true,
    ...(profiles?.includes(`${dockerProfile} (`) && { appArmorProfile: dockerProfile }),
    swapAccounting: await limitsSwap(cgroups),
    blockWeight: await hasLimit(cgroups, "blkio.weight"),
    blockDeviceWeight: await hasLimit(cgroups, "blkio.weight_device"),
  };
}

async function limitsSwap(cgroups: CgroupLayout): Promise<boolean> {
  if (cgroups.mode === "v2") return (await readIfThere("/proc/swaps")) !== undefined;
  return await hasLimit(cgroups, "memory.memsw.limit_in_bytes");
}

/** Whether version 1 of cgroups has this file, which depends on how the kernel was built; version 2 has all that we ask for. */
async function hasLimit({ mode, mountPoints }: CgroupLayout, file: string): Promise<boolean> {
  if (mode === "v2") return true;
  const found = await Promise.all(mountPoints.map((mountPoint) => readIfThere(`${mountPoint}/${file}`)));
  return found.some((text) => text !== undefined);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
