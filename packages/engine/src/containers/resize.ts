import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { publishContainerEvent } from "./publish-event.ts";

/**
 * Set the size of a container's terminal; without one there is nothing to set, which is no error (as at dockerd).
 * @throws {Fault} `conflict` when it does not run.
 */
export async function resizeContainer(
  { events }: Collaborators,
  container: Container,
  size: { readonly height: number; readonly width: number },
): Promise<void> {
  if (container.monitor === undefined) throw containerFaults.TTY_RESIZE_NOT_RUNNING(container.id);
  if (container.record.config.tty) await container.monitor.resize(size);
  publishContainerEvent(events, container, "resize", {
    height: String(size.height),
    width: String(size.width),
  });
}
