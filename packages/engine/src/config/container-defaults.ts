import { readFileSync } from "node:fs";
import { checkLog, type HostConfig } from "@hawser/runtime";
import { configFaults } from "./faults.ts";
import type { Settings } from "./settings.ts";

/** What a container gets that says nothing of it. */
export interface ContainerDefaults
  extends Pick<HostConfig, "ulimits" | "shmSizeBytes" | "ipcMode" | "cgroupnsMode" | "log" | "securityOpt"> {
  readonly init: boolean;
  /** `none` when the default bridge is for nobody. */
  readonly network: "bridge" | "none";
  readonly resolver: Pick<HostConfig, "dns" | "dnsOptions" | "dnsSearch">;
}

/** @throws {Fault} `invalid-argument` */
export function containerDefaults(said: Settings): ContainerDefaults {
  const log = { driver: said["log-driver"] || "json-file", options: said["log-opts"] ?? {} };
  checkLog(log);
  return {
    ulimits: said["default-ulimits"] ?? [],
    shmSizeBytes: said["default-shm-size"] || 64 << 20,
    ipcMode: said["default-ipc-mode"] || "private",
    cgroupnsMode: said["default-cgroupns-mode"] ?? "",
    log,
    securityOpt: [
      ...(said["no-new-privileges"] === true ? ["no-new-privileges"] : []),
      ...seccompOption(said),
    ],
    init: said.init ?? false,
    network: said.bridge === "none" ? "none" : "bridge",
    resolver: {
      dns: said.dns ?? [],
      dnsOptions: said["dns-opts"] ?? [],
      dnsSearch: said["dns-search"] ?? [],
    },
  };
}

function seccompOption(said: Settings): readonly string[] {
  const profile = said["seccomp-profile"] ?? "";
  if (profile === "" || profile === "builtin") return [];
  if (profile === "unconfined") return ["seccomp=unconfined"];
  try {
    return [`seccomp=${JSON.stringify(JSON.parse(readFileSync(profile, "utf8")))}`];
  } catch (error) {
    throw configFaults.VALUE_INVALID(`opening seccomp profile (${profile}) failed: ${String(error)}`);
  }
}
