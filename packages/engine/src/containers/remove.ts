import { rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Fault } from "@hawser/base";
import { endPendingAttaches } from "./attach.ts";
import { callOffRestart } from "./call-off-restart.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import type { ContainerRecord } from "./container-record.ts";
import { containerFaults } from "./faults.ts";
import { containerDirOf, runDirOf } from "./host.ts";
import { killContainer } from "./kill.ts";
import { finishLogDelivery } from "./log-delivery.ts";
import { mountsOf, snapshotsOf } from "./plan-mounts.ts";
import { publishContainerEvent } from "./publish-event.ts";

/**
 * Remove a container, killing it first when `force` is set, and with `volumes` those that nobody named.
 * @throws {Fault} `conflict` when it runs and `force` is not set, or its removal is in progress.
 */
export async function removeContainer(
  collaborators: Collaborators,
  container: Container,
  options: { readonly force: boolean; readonly volumes?: boolean },
): Promise<void> {
  if (container.record.state.status === "removing")
    throw containerFaults.CONTAINER_BEING_REMOVED(container.id);
  if (container.record.state.status === "restarting") {
    if (!options.force) throw containerFaults.CONTAINER_RESTARTING_REMOVE(container.record.name);
    await callOffRestart(collaborators, container);
  }
  if (container.monitor !== undefined) {
    if (!options.force) {
      const { name, state } = container.record;
      if (state.status === "paused") throw containerFaults.CONTAINER_PAUSED_REMOVE(name);
      throw containerFaults.CONTAINER_RUNNING_REMOVE(name);
    }
    const ended = container.nextExit.promise;
    await killContainer(collaborators, container, "SIGKILL");
    await ended;
    collaborators.reach("remove.ended");
    if (collaborators.index.find(container.id) === undefined) return; // it has removed itself
  }
  if (options.force) await giveUpStart(container);
  const isGone = await collaborators.locks.run(container.id, async () => {
    if (container.monitor !== undefined) return false; // a start was on its way, and has come through
    await discardContainer(collaborators, container, { volumes: options.volumes === true });
    return true;
  });
  if (!isGone) await removeContainer(collaborators, container, options);
}

/** What is to go need not come up first: the OCI runtime may take long, or for ever. */
export async function giveUpStart(container: Container): Promise<void> {
  container.unwanted = true;
  await container.starting?.giveUp().catch(() => {}); // it has come up, or failed, meanwhile
}

/**
 * Forget a container that does not run: its record first, so that whoever asks is told the truth at once and a crash in
 * between leaves only what the next engine sweeps away; then its layer and folders, once its mounts are gone.
 */
export async function discardContainer(
  { index, events, snapshots, volumes, host, reach, log }: Collaborators,
  container: Container,
  options: { readonly volumes: boolean } = { volumes: container.record.hostConfig.autoRemove },
): Promise<void> {
  if (container.record.state.status === "removing") return;
  const anonymous = options.volumes ? anonymousVolumesOf(container.record) : [];
  for (const name of anonymous) volumes.bind(name, container.id);
  const { exitCode } = container.record.state;
  endPendingAttaches(container);
  try {
    index.remove(container);
  } catch (error) {
    container.failRemoval(Fault.from(error).message);
    throw error;
  }
  reach("remove.forgotten");
  for (const name of anonymous) volumes.removeUnused(name);
  container.record = { ...container.record, state: { ...container.record.state, status: "removing" } };
  publishContainerEvent(events, container, "destroy");
  container.removed.resolve({ exitCode });
  const sweep = async () => {
    await container.tornDown;
    await finishLogDelivery(container);
    rmSync(runDirOf(host, container.id), { recursive: true, force: true }); // on tmpfs
    reach("remove.run-gone");
    await Promise.all([
      ...snapshotsOf(container.record).map((key) => snapshots.remove(key)),
      rm(containerDirOf(host, container.id), { recursive: true, force: true }),
    ]);
    reach("remove.swept");
  };
  sweep().catch((cause: unknown) =>
    log.error("cannot clean up a container", { container: container.id, cause }),
  );
}

function anonymousVolumesOf(record: ContainerRecord): readonly string[] {
  return mountsOf(record).flatMap(({ volume }) => (volume?.anonymous === true ? volume.name : []));
}
