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
  };
}

async function limitsSwap({ mode, mountPoints }: CgroupLayout): Promise<boolean> {
  if (mode === "v2") return (await readIfThere("/proc/swaps")) !== undefined;
  const found = await Promise.all(
    mountPoints.map((mountPoint) => readIfThere(`${mountPoint}/memory.memsw.limit_in_bytes`)),
  );
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
