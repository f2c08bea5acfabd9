import { Fault } from "@hawser/base";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { isContainerName } from "./names.ts";
import { publishContainerEvent } from "./publish-event.ts";

/**
 * Give a container another name, whether it runs or not.
 * @throws {Fault} `invalid-argument` for a name that is none or its own, `conflict` when another container has it.
 */
export async function renameContainer(
  { index, events, locks }: Collaborators,
  container: Container,
  newName: string,
): Promise<void> {
  await locks.run(container.id, async () => {
    const { name: oldName, state } = container.record;
    if (newName === oldName) throw containerFaults.RENAME_SAME();
    if (state.status === "removing") throw containerFaults.CONTAINER_BEING_REMOVED(container.id);
    try {
      if (!isContainerName(newName)) throw containerFaults.CONTAINER_NAME_INVALID(`/${newName}`);
      index.update(container, { name: newName });
    } catch (error) {
      if (!Fault.is(error)) throw error;
      const { message } = error;
      throw error.kind === "conflict"
        ? containerFaults.RENAME_TAKEN(message)
        : containerFaults.RENAME_INVALID(message);
    }
    publishContainerEvent(events, container, "rename", { oldName: `/${oldName}` });
  });
}
