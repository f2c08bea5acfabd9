import { runtimeFaults } from "../faults.ts";
import { parseIpcMode, parseUtsMode } from "./namespaces.ts";
import type { SpecInput } from "./spec-input.ts";
import { userMapOf } from "./user-map.ts";

/**
 * `linux.sysctl`: in a network namespace of its own a container may ping and bind low ports without capabilities, as with
 * Docker; the NIS domain name has no field of its own in the specification.
 *
 * @throws {Fault} `invalid-argument` for a setting that would change the host.
 */
export function buildSysctls(
  input: Pick<SpecInput, "config" | "hostConfig" | "host">,
): Readonly<Record<string, string>> {
  const { config, hostConfig } = input;
  checkSysctls(hostConfig);
  return {
    // A network that belongs to the host's users has them already, and takes none from others.
    ...(isOwnNetwork(hostConfig.networkMode) &&
      userMapOf(hostConfig, input.host) === undefined && {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": "0 2147483647",
      }),
    ...(config.domainname !== "" &&
      parseUtsMode(hostConfig.utsMode) === "own" && { "kernel.domainname": config.domainname }),
    ...hostConfig.sysctls,
  };
}

/** @throws {Fault} `invalid-argument` for a setting of a namespace that the container shares with the host. */
export function checkSysctls(hostConfig: SpecInput["hostConfig"]): void {
  for (const name of Object.keys(hostConfig.sysctls)) {
    const dotted = name.replaceAll("/", ".");
    if (dotted.startsWith("net.") && hostConfig.networkMode === "host") {
      throw runtimeFaults.SYSCTL_INVALID(`sysctl "${name}" not allowed in host network namespace`);
    }
    if (isIpcSetting(dotted) && parseIpcMode(hostConfig.ipcMode).kind === "host") {
      throw runtimeFaults.SYSCTL_INVALID(`sysctl "${name}" is not allowed in the hosts ipc namespace`);
    }
    if (dotted === "kernel.domainname" && parseUtsMode(hostConfig.utsMode) === "host") {
      throw runtimeFaults.SYSCTL_INVALID(`sysctl "${name}" not allowed in host uts namespace`);
    }
    if (!dotted.startsWith("net.") && !isIpcSetting(dotted) && dotted !== "kernel.domainname") {
      throw runtimeFaults.SYSCTL_INVALID(`sysctl "${name}" is not in a separate kernel namespace`);
    }
  }
}

function isIpcSetting(name: string): boolean {
  return name.startsWith("fs.mqueue.") || ipcSettings.has(name);
}

const ipcSettings: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

function isOwnNetwork(networkMode: string): boolean {
  return networkMode !== "host" && !networkMode.startsWith("container:");
}
