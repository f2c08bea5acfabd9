import { Fault } from "@hawser/base";
import {
  checkResources,
  type HostConfig,
  type LiveLimits,
  withoutDiscarded,
  writeLimits,
} from "@hawser/runtime";
import { changeBindings, type PortChange } from "../networks/change-bindings.ts";
import { checkPorts } from "../networks/container-ports.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { containerCgroupOf } from "./host.ts";
import { publishContainerEvent } from "./publish-event.ts";

/** What is to change of a container's host config; 0, empty and absent: stays as it is. */
export interface ContainerUpdate {
  readonly limits: LiveLimits;
  readonly restartPolicy?: HostConfig["restartPolicy"];
  readonly ports?: PortChange;
}

/**
 * Change a container's limits and published ports, at once when it runs, and its restart policy. Returns warnings for the
 * user.
 *
 * @throws {Fault} `invalid-argument` for a limit that no container may have, `conflict` for one that contradicts another,
 *   `internal` when the kernel refuses it, or a port is taken.
 */
export async function updateContainer(
  collaborators: Collaborators,
  container: Container,
  update: ContainerUpdate,
): Promise<readonly string[]> {
  const { index, events, host, locks } = collaborators;
  return await locks.run(container.id, async () => {
    const { record } = container;
    const warnings = checkUpdate(collaborators, record.hostConfig, update);
    const limits = withoutDiscarded(update.limits, host.facts);
    const changed = changedLimits(limits);
    const wanted = Object.fromEntries([...changed].map((name) => [name, limits[name]]));
    const { restartPolicy = record.hostConfig.restartPolicy } = update;
    const { ports } = update;
    const hostConfig: HostConfig = {
      ...record.hostConfig,
      ...wanted,
      restartPolicy,
      ...(ports && { portBindings: changeBindings(record.hostConfig.portBindings, ports) }),
    };
    checkPorts(record.config, hostConfig);
    const conflict = findConflict(record.hostConfig, update);
    if (conflict !== undefined) throw containerFaults.UPDATE_CONFLICT(record.id, conflict);
    if (record.state.status === "removing") throw containerFaults.CONTAINER_BEING_REMOVED(record.id);
    if (ports !== undefined && container.monitor !== undefined) {
      const published = await collaborators.ports.change(record, ports);
      const { portBindings } = hostConfig;
      index.update(container, { hostConfig: { ...record.hostConfig, portBindings }, published });
    }
    if (container.monitor !== undefined && changed.size > 0) {
      try {
        await writeLimits(containerCgroupOf(host, record), { limits: hostConfig, changed });
      } catch (error) {
        throw containerFaults.CANNOT_UPDATE(record.id, Fault.from(error).message).because(error);
      }
    }
    index.update(container, { hostConfig });
    publishContainerEvent(events, container, "update");
    return warnings;
  });
}

function changedLimits(limits: LiveLimits): ReadonlySet<keyof LiveLimits> {
  const names = Object.keys(limits) as (keyof LiveLimits)[];
  return new Set(names.filter((name) => ![0, "", undefined].includes(limits[name])));
}

/** What is asked for must be possible by itself; swap is measured against the memory that there will be. */
function checkUpdate(
  { host }: Collaborators,
  current: HostConfig,
  { limits }: ContainerUpdate,
): readonly string[] {
  const memoryBytes = limits.memoryBytes || (limits.memorySwapBytes > 0 ? current.memoryBytes : 0);
  return checkResources({ ...current, oomKillDisable: false, ...limits, memoryBytes }, host.facts);
}

/** moby's rules for what may not be changed beside what is set already (`Container.UpdateContainer`). */
export function findConflict(current: HostConfig, update: ContainerUpdate): string | undefined {
  const { limits, restartPolicy } = update;
  const { nanoCpus, cpuPeriodUs, cpuQuotaUs } = current;
  if (limits.nanoCpus > 0 && cpuPeriodUs > 0) {
    return "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set";
  }
  if (limits.nanoCpus > 0 && cpuQuotaUs > 0) {
    return "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set";
  }
  if (limits.cpuPeriodUs > 0 && nanoCpus > 0) {
    return "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set";
  }
  if (limits.cpuQuotaUs > 0 && nanoCpus > 0) {
    return "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set";
  }
  const swapNow = current.memorySwapBytes || current.memoryBytes * 2; // -1: as much as there is
  if (swapNow >= 0 && limits.memoryBytes > swapNow && limits.memorySwapBytes === 0) {
    return "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time";
  }
  if (current.autoRemove && restartPolicy !== undefined && restartPolicy.name !== "no") {
    return "Restart policy cannot be updated because AutoRemove is enabled for the container";
  }
  return undefined;
}
