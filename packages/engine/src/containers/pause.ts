import { Fault } from "@hawser/base";
import { freeze, thaw } from "@hawser/runtime";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { startHealthWatch, stopHealthWatch } from "./health-watch.ts";
import { containerCgroupOf } from "./host.ts";
import { publishContainerEvent } from "./publish-event.ts";

/**
 * Stop every process of a container where it is; it goes on with `unpauseContainer`, also under another engine.
 * @throws {Fault} `conflict` when it does not run or is paused already.
 */
export async function pauseContainer(collaborators: Collaborators, container: Container): Promise<void> {
  const { index, events, host, locks } = collaborators;
  await locks.run(container.id, async () => {
    const { status } = container.record.state;
    if (status === "paused") throw containerFaults.CONTAINER_ALREADY_PAUSED(container.id);
    if (status === "restarting") throw containerFaults.CONTAINER_RESTARTING(container.id);
    if (container.monitor === undefined) throw containerFaults.CONTAINER_NOT_RUNNING(container.id);
    try {
      await freeze(containerCgroupOf(host, container.record));
    } catch (error) {
      throw containerFaults.CANNOT_PAUSE(container.id, Fault.from(error).message).because(error);
    }
    if (container.monitor === undefined) throw containerFaults.CONTAINER_NOT_RUNNING(container.id); // it ended meanwhile
    const health = stopHealthWatch(container);
    index.update(container, {
      ...(health && { health }),
      state: { ...container.record.state, status: "paused" },
    });
    publishContainerEvent(events, container, "pause");
  });
}

/**
 * Let the processes of a paused container go on.
 * @throws {Fault} `internal` when it is not paused: Docker answers 500.
 */
export async function unpauseContainer(collaborators: Collaborators, container: Container): Promise<void> {
  await collaborators.locks.run(container.id, async () => {
    if (container.record.state.status !== "paused") throw containerFaults.CONTAINER_NOT_PAUSED(container.id);
    await resumePaused(collaborators, container);
  });
}

/** As `unpauseContainer`, for a container that must go on because it is to end. One that is not paused is left alone. */
export async function resumePaused(collaborators: Collaborators, container: Container): Promise<void> {
  const { index, events, host } = collaborators;
  if (container.record.state.status !== "paused") return;
  await thaw(containerCgroupOf(host, container.record));
  if (container.record.state.status !== "paused") return; // it ended, or another caller was faster
  index.update(container, { state: { ...container.record.state, status: "running" } });
  if (container.monitor !== undefined) startHealthWatch(collaborators, container, container.monitor);
  publishContainerEvent(events, container, "unpause");
}
