import { setTimeout as delay } from "node:timers/promises";
import type { Monitor } from "@hawser/runtime";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { applyProbe, beginHealth, type Health, probePauseMs, probePlanOf } from "./health.ts";
import { runProbe } from "./probe.ts";
import { publishContainerEvent } from "./publish-event.ts";

/** Probe a running container, when it is to be probed, until `stopHealthWatch`. What was found before counts on. */
export function startHealthWatch(collaborators: Collaborators, container: Container, monitor: Monitor): void {
  const plan = probePlanOf(container.record.config);
  if (plan === undefined) return;
  container.healthWatch?.abort();
  const watch = new AbortController();
  container.healthWatch = watch;
  const { host, index, log } = collaborators;
  const { signal } = watch;
  const round = async (): Promise<void> => {
    const { state, health = beginHealth(undefined) } = container.record;
    const ranMs = host.now() - state.startedAtMs;
    await delay(probePauseMs(plan, { status: health.status, ranMs }), undefined, { signal });
    const result = await runProbe(collaborators, container, { plan, monitor, signal });
    if (signal.aborted) return;
    const before = container.record.health ?? health;
    const after = applyProbe(before, result, { plan, runStartedAtMs: state.startedAtMs });
    index.update(container, { health: after }, { durable: false });
    if (after.status !== before.status) {
      publishContainerEvent(collaborators.events, container, `health_status: ${after.status}`);
    }
  };
  const loop = async () => {
    while (!signal.aborted) await round();
  };
  loop().catch((error: unknown) => {
    if (!signal.aborted) log.error("a health check ended", { container: container.id, error });
  });
}

/**
 * Stop to probe: the container ends or is paused. Of one that was probed, Docker's clients are then told `unhealthy`, without
 * an event.
 *
 * @returns what its record is to say from now on; `undefined` when it was not probed
 */
export function stopHealthWatch(container: Container): Health | undefined {
  if (container.healthWatch === undefined) return undefined;
  container.healthWatch.abort();
  container.healthWatch = undefined;
  const { health } = container.record;
  return health && { ...health, status: "unhealthy" };
}
