import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";

/**
 * Set the size of a container's terminal.
 * @throws {Fault} `conflict` when it does not run.
 */
export async function resizeContainer(
  container: Container,
  size: { readonly height: number; readonly width: number },
): Promise<void> {
  if (container.monitor === undefined) throw containerFaults.TTY_RESIZE_NOT_RUNNING(container.id);
  await container.monitor.resize(size);
}
