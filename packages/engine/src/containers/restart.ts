import { Fault } from "@hawser/base";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { shouldRestart } from "./restart-policy.ts";
import { startAgain, startContainer } from "./start.ts";

/** Starts at a time, of those that are due when the engine starts. */
const maxParallelStarts = 8;

/** Start a container whose pause is over. What goes wrong is in its record, and in the log. */
export async function restartNow(collaborators: Collaborators, container: Container): Promise<void> {
  try {
    await startAgain(collaborators, container);
  } catch (error) {
    collaborators.log.warn("a container could not be started again", { container: container.id, error });
  }
}

/**
 * Start what is to run when an engine starts: containers whose restart the last engine did not live to see, and those that
 * ended and whose policy wants them back (`always` even after a stop by a user, as Docker's).
 */
export async function bringBack(collaborators: Collaborators, signal: AbortSignal): Promise<void> {
  const due = collaborators.index.list().filter((container) => isDue(collaborators, container));
  const work = async () => {
    for (let next = due.pop(); next !== undefined && !signal.aborted; next = due.pop()) {
      if (next.record.state.status === "restarting") await restartNow(collaborators, next);
      else await startQuietly(collaborators, next);
    }
  };
  await Promise.all(Array.from({ length: maxParallelStarts }, work));
}

function isDue({ restarts }: Collaborators, { id, record }: Container): boolean {
  const { state, hostConfig, restartCount, stoppedByUser = false } = record;
  if (state.status === "restarting") return !restarts.waits(id);
  if (state.status !== "exited" || state.startedAtMs === 0) return false;
  return shouldRestart(hostConfig.restartPolicy, { exitCode: state.exitCode, restartCount, stoppedByUser });
}

async function startQuietly(collaborators: Collaborators, container: Container): Promise<void> {
  try {
    await startContainer(collaborators, container);
  } catch (error) {
    if (Fault.is(error, "not-modified")) return; // a client was faster
    collaborators.log.warn("a container could not be brought back", { container: container.id, error });
  }
}
