import { Fault } from "@hawser/base";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { isRunning } from "./container-record.ts";
import { measureContainer } from "./measure.ts";
import { removeContainer } from "./remove.ts";

export interface PruneReport {
  readonly removed: readonly string[];
  /** What the removed containers had written. */
  readonly reclaimedBytes: number;
}

/**
 * Remove the containers that do not run and that `matches` takes. One that is started or removed by somebody else meanwhile is
 * left to them.
 */
export async function pruneContainers(
  collaborators: Collaborators,
  matches: (container: Container) => boolean,
): Promise<PruneReport> {
  const removed: string[] = [];
  let reclaimedBytes = 0;
  for (const container of collaborators.index.list().toReversed()) {
    if (isRunning(container.record) || !matches(container)) continue;
    try {
      const { ownBytes } = await measureContainer(collaborators, container);
      await removeContainer(collaborators, container, { force: false });
      removed.push(container.id);
      reclaimedBytes += ownBytes;
    } catch (error) {
      if (!Fault.is(error, "conflict") && !Fault.is(error, "not-found")) throw error;
    }
  }
  collaborators.events.publish({
    type: "container",
    action: "prune",
    actor: { id: "", attributes: { reclaimed: String(reclaimedBytes) } },
  });
  return { removed, reclaimedBytes };
}
