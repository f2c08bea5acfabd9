import { Fault } from "@hawser/base";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { isRunning } from "./container-record.ts";
import { giveUpStart } from "./remove.ts";
import { stopContainer } from "./stop.ts";

/** Docker's: beyond the time that a container may take itself. */
const graceSeconds = 5;

/**
 * End all containers, since the engine stops and they are not to outlive it. To their restart policies it is not a user's
 * stop: the next engine brings them back. Nobody may start one meanwhile. Returns when they have ended, or when time is up.
 *
 * @param timeoutSeconds -1: for ever; more when a container may take longer
 */
export async function stopAllContainers(collaborators: Collaborators, timeoutSeconds: number): Promise<void> {
  const { index, restarts, locks, host, log } = collaborators;
  restarts[Symbol.dispose]();
  await Promise.all(
    index.list().map(async (container) => {
      await giveUpStart(container);
      await locks.run(container.id, async () => {}); // until that has come to its end
    }),
  );
  const running = index.list().filter(({ record }) => isRunning(record));
  if (running.length === 0) return;
  const patience = running.map(({ record }) => record.config.stopTimeoutSeconds ?? host.stopTimeoutSeconds);
  const isEndless = timeoutSeconds < 0 || patience.some((seconds) => seconds < 0);
  const late = Promise.withResolvers<"late">();
  const seconds = Math.max(timeoutSeconds, ...patience.map((own) => own + graceSeconds));
  const timer = isEndless ? undefined : setTimeout(() => late.resolve("late"), seconds * 1000);
  const stopped = Promise.all(running.map((container) => stopOne(collaborators, container)));
  const first = await Promise.race([stopped, late.promise]);
  clearTimeout(timer);
  if (first === "late") log.warn("containers did not stop in time, they go on", { seconds });
}

async function stopOne(collaborators: Collaborators, container: Container): Promise<void> {
  const { log } = collaborators;
  try {
    if (container.record.state.status === "restarting") return; // the next engine starts it
    await stopContainer(collaborators, container, { byUser: false });
  } catch (error) {
    if (!Fault.is(error, "not-modified"))
      log.warn("a container could not be stopped", { container: container.id, error });
  }
}
