import { setTimeout as delay } from "node:timers/promises";
import { parseSignal } from "@hawser/oci";
import { callOffRestart } from "./call-off-restart.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { isRunning } from "./container-record.ts";
import { containerFaults } from "./faults.ts";
import { killContainer, tellsOfEnd } from "./kill.ts";
import { publishContainerEvent } from "./publish-event.ts";
import { startContainer } from "./start.ts";

export interface StopOptions {
  /** Signal to ask with; absent: the container's stop signal. */
  readonly signal?: string;
  /** How long to wait before SIGKILL; -1: for ever; absent: the container's, else the engine's. */
  readonly timeoutSeconds?: number;
  /** It is a user's wish, which restart policies heed; default: it is. */
  readonly byUser?: boolean;
}

/**
 * Ask a container to end, and make it end when it does not in time. Returns when it has ended. A caller that goes away
 * does not take its stop back.
 *
 * @throws {Fault} `not-modified` when it does not run, `invalid-argument` for a signal that does not exist.
 */
export async function stopContainer(
  collaborators: Collaborators,
  container: Container,
  options: StopOptions = {},
): Promise<void> {
  if (await callOffRestart(collaborators, container)) {
    publishContainerEvent(collaborators.events, container, "stop");
    return;
  }
  if (container.monitor === undefined) throw containerFaults.CONTAINER_ALREADY_STOPPED();
  await endRun(collaborators, container, options);
}

/** Stop, when it runs, then start; one that is removed when it ends is not, in between. */
export async function restartContainer(
  collaborators: Collaborators,
  container: Container,
  options: StopOptions = {},
): Promise<void> {
  if (isRunning(container.record)) {
    container.restarting = true;
    try {
      await stopContainer(collaborators, container, options);
    } finally {
      container.restarting = false;
    }
  }
  await startContainer(collaborators, container);
  publishContainerEvent(collaborators.events, container, "restart");
}

async function endRun(
  collaborators: Collaborators,
  container: Container,
  options: StopOptions,
): Promise<void> {
  const { config } = container.record;
  const signal = options.signal || config.stopSignal || "SIGTERM";
  parseSignal(signal);
  const seconds =
    options.timeoutSeconds ?? config.stopTimeoutSeconds ?? collaborators.host.stopTimeoutSeconds;
  const ended = container.nextExit.promise;
  container.stopRequested = true;
  container.stopping = true;
  await killUnlessEnded(collaborators, container, { ...options, signal });
  collaborators.reach("stop.asked");
  if (seconds < 0) {
    await ended;
    return;
  }
  const abandon = new AbortController();
  const timeOut = delay(seconds * 1000, "late" as const, { signal: abandon.signal }).catch(
    () => "over" as const,
  );
  const first = await Promise.race([ended.then(() => "ended" as const), timeOut]);
  abandon.abort();
  if (first !== "late") return;
  collaborators.log.info("container did not stop in time, killing it", { container: container.id, seconds });
  await killUnlessEnded(collaborators, container, { ...options, signal: "SIGKILL" });
  await ended;
}

/** The container may end by itself between two steps of a stop; that is what was wanted. */
async function killUnlessEnded(
  collaborators: Collaborators,
  container: Container,
  { signal, byUser = true }: StopOptions & { readonly signal: string },
): Promise<void> {
  try {
    await killContainer(collaborators, container, signal, { byUser });
  } catch (error) {
    if (container.monitor === undefined || tellsOfEnd(error)) return;
    container.stopping = false;
    throw error;
  }
}
