import { join } from "node:path";
import { type CgroupLayout, ContainerCgroup, type HostConfig, type HostFacts } from "@hawser/runtime";
import type { ContainerDefaults } from "../config/container-defaults.ts";
import type { ContainerId } from "./container-record.ts";
import type { RandomBytes } from "./names.ts";

/** An OCI runtime that containers may ask for by name. */
export interface RuntimeProgram {
  readonly path: string;
  readonly args: readonly string[];
}

/** Facts about this host and this engine. They do not change while it runs, but for the runtimes, which a reload may. */
export interface ContainerHost {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly defaults: ContainerDefaults;
  readonly runtimes: Readonly<Record<string, RuntimeProgram>>;
  readonly defaultRuntime: string;
  /** Absolute cgroup path below which containers get theirs, as `/hawser`. */
  readonly cgroupParent: string;
  readonly facts: HostFacts;
  readonly cgroups: CgroupLayout;
  readonly initPath: string;
  readonly stopTimeoutSeconds: number;
  /** How long an OCI runtime may take to start a process; 0: for ever. */
  readonly runtimeDeadlineMs: number;
  readonly now: () => number;
  readonly randomBytes: RandomBytes;
}

/** The folder of a container's run: `docs/contracts/state-on-disk.md`. */
export function runDirOf(host: ContainerHost, id: ContainerId): string {
  return join(host.execRoot, "containers", id);
}

/** The folder of what lasts of a container beside its record and its snapshot: log and exit record. */
export function containerDirOf(host: ContainerHost, id: ContainerId): string {
  return join(host.dataRoot, "containers", id);
}

export function logPathOf(host: ContainerHost, id: ContainerId): string {
  return join(containerDirOf(host, id), "json.log");
}

/** Up to where its log has been sent, when its driver sends it elsewhere. */
export function deliveredPathOf(host: ContainerHost, id: ContainerId): string {
  return join(containerDirOf(host, id), "delivered");
}

export function exitRecordPathOf(host: ContainerHost, id: ContainerId): string {
  return join(containerDirOf(host, id), "exit");
}

/** The cgroups that a container has while it runs. */
export function containerCgroupOf(
  host: ContainerHost,
  { id, hostConfig }: { readonly id: string; readonly hostConfig: Pick<HostConfig, "cgroupParent"> },
): ContainerCgroup {
  return new ContainerCgroup(host.cgroups, { parent: hostConfig.cgroupParent || host.cgroupParent, id });
}
