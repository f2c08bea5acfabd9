import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isFrozen, Monitor, readExitRecord } from "@hawser/runtime";
import { attachmentsOf, withoutEndpoints } from "../networks/attachment.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { hasProcess } from "./container-record.ts";
import { readExecRecords } from "./exec-records.ts";
import { endRun, followRun } from "./exit.ts";
import { containerFaults } from "./faults.ts";
import { containerCgroupOf, exitRecordPathOf, runDirOf } from "./host.ts";
import { startLogDelivery } from "./log-delivery.ts";
import { containerOfSnapshot, volumesOf } from "./plan-mounts.ts";
import { reapRun } from "./reap.ts";
import { discardContainer } from "./remove.ts";
import { failStart } from "./start.ts";

/**
 * Bring the engine's view and the machine together: the normal way to start, whether the last engine stopped or was
 * killed. Containers that run are found again through their monitors; those that ended meanwhile get their exit from
 * its record; what an interrupted create, start or remove left is swept away.
 */
export async function recoverContainers(collaborators: Collaborators): Promise<void> {
  await Promise.all(
    collaborators.index.list().map((container) => recoverContainer(collaborators, container)),
  );
  await collaborators.volumes.sweepMounts();
  await sweepOrphans(collaborators);
}

async function recoverContainer(collaborators: Collaborators, container: Container): Promise<void> {
  const { host, log } = collaborators;
  const monitor = await Monitor.reconnect(runDirOf(host, container.id));
  if (monitor !== undefined) {
    await collaborators.ports.restore(container.record);
    await collaborators.names.open(container.record);
    collaborators.volumes.adoptMounts(volumesOf(container.record), container.id);
    const adopted = collaborators.locks.run(container.id, () => adopt(collaborators, container, monitor));
    if (!monitor.isStarting) await adopted; // else the OCI runtime is at work, for which nobody else must wait
    return;
  }
  await reapRun(host, container.record);
  if (hasProcess(container.record)) {
    const exit = await readExitRecord(exitRecordPathOf(host, container.id));
    const isOfThisRun = exit !== undefined && exit.exitedAtMs >= container.record.state.startedAtMs;
    if (!isOfThisRun) log.warn("a container ended without a record of its exit", { container: container.id });
    endRun(
      collaborators,
      container,
      isOfThisRun ? exit : { code: 255, signal: 0, oom: false, exitedAtMs: host.now() },
    );
    startLogDelivery(collaborators, container);
    return;
  }
  await collaborators.ports.release(container.record);
  const attachments = attachmentsOf(container.record);
  if (attachments.some(({ endpoint }) => endpoint !== undefined)) {
    collaborators.places.release(attachments);
    collaborators.index.update(
      container,
      { attachments: withoutEndpoints(attachments), endpoint: undefined, published: undefined },
      { durable: false },
    );
  }
  if (container.record.hostConfig.autoRemove) await discardContainer(collaborators, container);
  else startLogDelivery(collaborators, container);
}

/** A monitor that answers: the container runs, or has just ended and will say so, or is being started. */
async function adopt(collaborators: Collaborators, container: Container, monitor: Monitor): Promise<void> {
  const { index, host, log } = collaborators;
  if (monitor.isStarting) container.starting = monitor;
  try {
    const { pid, startedAtMs } = await monitor.started.finally(() => {
      container.starting = undefined;
    });
    container.monitor = monitor;
    const { state } = container.record;
    const frozen = await isFrozen(containerCgroupOf(host, container.record));
    index.update(
      container,
      { state: { ...state, status: frozen ? "paused" : "running", pid, startedAtMs } },
      { durable: false },
    );
    await repairNetworks(collaborators, container);
    const execs = await readExecRecords(host, { id: container.id, monitor });
    for (const exec of execs) container.execs.set(exec.id, exec);
    followRun(collaborators, container, monitor);
    startLogDelivery(collaborators, container);
    log.info("container found again", { container: container.id, pid });
  } catch (error) {
    log.warn("a start was interrupted", { container: container.id, error });
    await monitor.gone;
    await reapRun(host, container.record);
    await failStart(collaborators, container, containerFaults.START_INTERRUPTED());
  }
}

/** What cannot be put right is told, and no reason to lose a container that runs. */
async function repairNetworks({ places, log }: Collaborators, { id, record }: Container): Promise<void> {
  try {
    await places.repair(record);
  } catch (error) {
    log.warn("cannot look after the networks of a container", { container: id, error });
  }
}

/** Run folders, container folders and layers of containers that no record speaks of. */
async function sweepOrphans(collaborators: Collaborators): Promise<void> {
  const { index, host, snapshots, log } = collaborators;
  const known = new Set<string>(index.list().map(({ id }) => id));
  const orphansIn = async (folder: string) => (await readdir(folder)).filter((name) => !known.has(name));
  for (const id of await orphansIn(join(host.execRoot, "containers"))) {
    const dir = join(host.execRoot, "containers", id);
    log.info("sweeping the run folder of a container that is gone", { container: id });
    const monitor = await Monitor.reconnect(dir);
    if (monitor !== undefined) {
      await monitor.kill(9).catch(() => {}); // it may end by itself meanwhile
      await monitor.gone;
    }
    await reapRun(host, { id, hostConfig: { cgroupParent: "" } });
  }
  for (const id of await orphansIn(join(host.dataRoot, "containers"))) {
    await rm(join(host.dataRoot, "containers", id), { recursive: true, force: true });
  }
  for (const key of snapshots.list()) if (!known.has(containerOfSnapshot(key))) await snapshots.remove(key);
}
