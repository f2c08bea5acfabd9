import { Fault } from "@hawser/base";
import { parseSignal } from "@hawser/oci";
import { callOffRestart } from "./call-off-restart.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { resumePaused } from "./pause.ts";
import { publishContainerEvent } from "./publish-event.ts";

/**
 * Send a signal to a container's first process. After SIGKILL it returns when the container has ended and its record says so,
 * as Docker's: what comes next may be its removal. A paused container goes on, to end. As with Docker's, any signal is taken
 * for the wish that the container ends, unless it has a stop signal of its own and the signal is another one.
 * @param options.byUser it is a user's wish, which restart policies heed; default: it is
 * @throws {Fault} `conflict` when it does not run, `invalid-argument` for a signal that does not exist.
 */
export async function killContainer(
  collaborators: Collaborators,
  container: Container,
  signalText: string,
  options: { readonly byUser?: boolean } = {},
): Promise<void> {
  const number = Number(signalText);
  if (number < 0 || number > 64) throw containerFaults.SIGNAL_UNSUPPORTED(signalText);
  const signal = parseSignal(signalText === "" ? "SIGKILL" : signalText);
  if (await callOffRestart(collaborators, container)) return;
  const { monitor } = container;
  if (monitor === undefined) throw containerFaults.KILL_STOPPED(container.id);
  const isSure = signal === parseSignal("SIGKILL");
  const { stopSignal } = container.record.config;
  const isToEnd = isSure || stopSignal === "" || signal === parseSignal(stopSignal);
  if (isToEnd) {
    container.stopRequested = true;
    if (options.byUser !== false)
      collaborators.index.update(container, { stoppedByUser: true }, { durable: false }); // the exit's record is durable
  }
  const ended = container.nextExit.promise;
  // Before it is sent: the end that it may bring is told of as soon as the monitor tells us.
  publishContainerEvent(collaborators.events, container, "kill", { signal: String(signal) });
  try {
    await monitor.kill(signal);
  } catch (error) {
    if (!isSure || !tellsOfEnd(error)) throw error; // it has ended before: that is what was wanted
  }
  if (isToEnd) await resumePaused(collaborators, container);
  if (isSure) await ended;
}

/** What a monitor refuses or breaks off because its process has ended, or ends with it: the record of that is on its way. */
export function tellsOfEnd(error: unknown): boolean {
  return Fault.is(error, "conflict") || Fault.is(error, "unavailable");
}
