import type { RuntimeNamespace, RuntimeNamespaceType } from "@hawser/oci";
import type { HostConfig } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";
import type { HostFacts, SpecInput } from "./spec-input.ts";
import { userMapOf } from "./user-map.ts";

/** Whose a namespace is: the container's own, the host's, or that of another container. */
export type NamespaceMode =
  | { readonly kind: "own" | "host" }
  | { readonly kind: "container"; readonly container: string };

/** How a container's IPC namespace and /dev/shm are: also whether others may join, or whether there is a shm at all. */
export type IpcMode =
  | NamespaceMode
  | { readonly kind: "shareable" }
  /** An own namespace without /dev/shm. */
  | { readonly kind: "none" };

/** @throws {Fault} `invalid-argument` */
export function parsePidMode(mode: string): NamespaceMode {
  return parseMode("PID", mode);
}

/** Empty means `private`, Docker's default since API 1.40. @throws {Fault} `invalid-argument` */
export function parseIpcMode(mode: string): IpcMode {
  if (mode === "private") return { kind: "own" };
  if (mode === "shareable" || mode === "none") return { kind: mode };
  return parseMode("IPC", mode);
}

/** @throws {Fault} `invalid-argument` */
export function parseUtsMode(mode: string): "own" | "host" {
  if (mode === "") return "own";
  if (mode === "host") return "host";
  throw runtimeFaults.NAMESPACE_MODE_INVALID("UTS", mode);
}

/** Empty means the host's on cgroup v1, else its own. @throws {Fault} `invalid-argument` */
export function parseCgroupnsMode(
  host: Pick<HostConfig, "cgroupnsMode">,
  facts: Pick<HostFacts, "cgroups">,
): "own" | "host" {
  switch (host.cgroupnsMode) {
    case "":
      return facts.cgroups.mode === "v1" ? "host" : "own";
    case "private":
      return "own";
    case "host":
      return "host";
    default:
      throw runtimeFaults.NAMESPACE_MODE_INVALID("cgroup namespace", host.cgroupnsMode);
  }
}

/** `linux.namespaces`. A `container:` mode takes the path that the caller found; without one the fault is ours. */
export function buildNamespaces(
  input: Pick<SpecInput, "hostConfig" | "host" | "namespacePaths">,
): readonly RuntimeNamespace[] {
  const { hostConfig, namespacePaths } = input;
  const namespaces: RuntimeNamespace[] = [{ type: "mount" }];
  const add = (type: RuntimeNamespaceType, kind: string, path?: string) => {
    if (kind === "host") return;
    if (kind !== "container") namespaces.push({ type });
    else if (path !== undefined) namespaces.push({ type, path });
    else throw runtimeFaults.NAMESPACE_MODE_INVALID(type, "container: (it does not run)");
  };
  if (userMapOf(hostConfig, input.host) !== undefined) namespaces.push({ type: "user" });
  const { network } = namespacePaths;
  if (network !== undefined) namespaces.push({ type: "network", path: network });
  else add("network", hostConfig.networkMode === "host" ? "host" : "own");
  add("uts", parseUtsMode(hostConfig.utsMode));
  add("pid", parsePidMode(hostConfig.pidMode).kind, namespacePaths.pid);
  add("ipc", parseIpcMode(hostConfig.ipcMode).kind, namespacePaths.ipc);
  add("cgroup", parseCgroupnsMode(hostConfig, input.host));
  return namespaces;
}

function parseMode(name: string, mode: string): NamespaceMode {
  if (mode === "") return { kind: "own" };
  if (mode === "host") return { kind: "host" };
  const [, container] = /^container:(.+)$/s.exec(mode) ?? [];
  if (container === undefined) throw runtimeFaults.NAMESPACE_MODE_INVALID(name, mode);
  return { kind: "container", container };
}
