import { parseSignal } from "@hawser/runtime";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { publishContainerEvent } from "./publish-event.ts";

/**
 * Send a signal to a container's first process.
 * @throws {Fault} `conflict` when it does not run, `invalid-argument` for a signal that does not exist.
 */
export async function killContainer(
  { events }: Collaborators,
  container: Container,
  signalText: string,
): Promise<void> {
  const signal = parseSignal(signalText === "" ? "SIGKILL" : signalText);
  if (signal === undefined) throw containerFaults.SIGNAL_INVALID(signalText);
  const { monitor } = container;
  if (monitor === undefined) throw containerFaults.CANNOT_KILL_STOPPED(container.id);
  if (
    signal === parseSignal("SIGKILL") ||
    signal === parseSignal(container.record.config.stopSignal || "SIGTERM")
  ) {
    container.stopRequested = true;
  }
  await monitor.kill(signal);
  publishContainerEvent(events, container, "kill", { signal: String(signal) });
}
