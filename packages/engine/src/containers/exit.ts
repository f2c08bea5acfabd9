import type { Exit, Monitor } from "@hawser/runtime";
import { attachmentsOf, withoutEndpoints } from "../networks/attachment.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { startHealthWatch, stopHealthWatch } from "./health-watch.ts";
import { volumesOf } from "./plan-mounts.ts";
import { publishContainerEvent, publishNetworkEvents, publishVolumeEvents } from "./publish-event.ts";
import { reapRun } from "./reap.ts";
import { discardContainer } from "./remove.ts";
import { nextRestartDelay, shouldRestart } from "./restart-policy.ts";

/** Watch a running container to its end. Its exit, when it comes, is recorded, announced, and told to its waiters. */
export function followRun(collaborators: Collaborators, container: Container, monitor: Monitor): void {
  container.tornDown = monitor.gone;
  monitor.onDetach((execID) =>
    execID === undefined
      ? publishContainerEvent(collaborators.events, container, "detach")
      : publishContainerEvent(collaborators.events, container, "exec_detach", { execID }),
  );
  monitor.onOom(() => publishContainerEvent(collaborators.events, container, "oom"));
  monitor.onExecExit((execId, exitCode) => container.execs.get(execId)?.settle(exitCode));
  if (container.record.state.status === "running") startHealthWatch(collaborators, container, monitor);
  monitor.exited.then(
    (exit) => endRun(collaborators, container, exit),
    (error: unknown) => {
      collaborators.log.error("lost the monitor of a container", { container: container.id, error });
      container.tornDown = reapRun(collaborators.host, container.record);
      endRun(collaborators, container, {
        code: 137,
        signal: 9,
        oom: false,
        exitedAtMs: collaborators.host.now(),
      });
    },
  );
}

/** Record that a container's run is over, and do what follows: tell the waiters, free the address, remove it or start it again. */
export function endRun(collaborators: Collaborators, container: Container, exit: Exit): void {
  const { index, events, places, names, ports, volumes, restarts, reach, log } = collaborators;
  reach("exit.told");
  container.monitor = undefined;
  const { restartCount, stoppedByUser = false, hostConfig } = container.record;
  const attachments = attachmentsOf(container.record);
  const { published } = container.record;
  const ranMs = exit.exitedAtMs - container.record.state.startedAtMs;
  const again =
    !container.stopRequested &&
    shouldRestart(hostConfig.restartPolicy, { exitCode: exit.code, restartCount, stoppedByUser });
  const health = stopHealthWatch(container);
  const change: Parameters<typeof index.update>[1] = {
    ...(health && { health }),
    state: {
      ...container.record.state,
      status: again ? "restarting" : "exited",
      pid: 0,
      exitCode: exit.code,
      oomKilled: exit.oom,
      finishedAtMs: exit.exitedAtMs,
    },
    attachments: withoutEndpoints(attachments),
    endpoint: undefined,
    published: undefined,
    ...(again && { restartCount: restartCount + 1 }),
  };
  try {
    index.update(container, change, { later: hostConfig.autoRemove }); // removed below
  } catch (error) {
    log.error("cannot write the exit of a container, its exit record stands", {
      container: container.id,
      error,
    });
    index.update(container, change, { later: true });
  }
  reach("exit.recorded");
  void volumes.unmount(volumesOf(container.record), container.id);
  places.release(attachments);
  names.release(container.id);
  if (published)
    container.tornDown = Promise.all([container.tornDown, ports.release(container.record)]).then(() => {});
  for (const exec of container.execs.values()) {
    if (exec.phase === "created")
      container.execs.delete(exec.id); // it can never run
    else exec.settle(137);
  }
  reach("exit.released");
  publishNetworkEvents(collaborators, container, "disconnect");
  publishVolumeEvents(events, container, "unmount");
  // Before the end itself, as dockerd 28 does, and so before a removal.
  if (container.stopping) publishContainerEvent(events, container, "stop");
  container.stopping = false;
  publishContainerEvent(events, container, "die", {
    exitCode: String(exit.code),
    execDuration: String(Math.max(0, Math.floor(ranMs / 1000))),
  });
  container.settleExit({ exitCode: exit.code });
  if (again) {
    container.restartDelayMs = nextRestartDelay(container.restartDelayMs, ranMs);
    restarts.schedule(container, container.restartDelayMs);
  }
  if (!container.record.hostConfig.autoRemove || container.restarting) return;
  discardContainer(collaborators, container).catch((error: unknown) => {
    log.error("cannot remove a container that ended", { container: container.id, error });
  });
}
