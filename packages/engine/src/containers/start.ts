import { Fault } from "@hawser/base";
import {
  type HostConfig,
  layerOwnersOf,
  logFileLimits,
  type Monitor,
  type StartRequest,
  userMapOf,
} from "@hawser/runtime";
import { forgetVolatile, type OverlayMount } from "@hawser/store";
import { attachmentsOf, withoutEndpoints } from "../networks/attachment.ts";
import { withLinkVariables } from "../networks/network-files.ts";
import { endPendingAttaches, handToMonitor } from "./attach.ts";
import { writeBundle } from "./bundle.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { type ContainerRecord, isRunning } from "./container-record.ts";
import { followRun } from "./exit.ts";
import { containerFaults } from "./faults.ts";
import { beginHealth, probePlanOf } from "./health.ts";
import { exitRecordPathOf, logPathOf, runDirOf } from "./host.ts";
import { openLogDestination, startLogDelivery } from "./log-delivery.ts";
import { volumesOf } from "./plan-mounts.ts";
import { publishContainerEvent, publishNetworkEvents, publishVolumeEvents } from "./publish-event.ts";
import { reapRun } from "./reap.ts";
import { discardContainer, giveUpStart } from "./remove.ts";
import { startFault } from "./start-fault.ts";

/**
 * Start a container that does not run. Returns when its first process runs its program.
 *
 * @throws {Fault} `not-modified` when it runs already; otherwise why it does not, in the OCI runtime's words, from which
 *   Docker's CLI derives exit codes 126 and 127. The container's record keeps the error; one that removes itself is gone.
 */
export async function startContainer(collaborators: Collaborators, container: Container): Promise<void> {
  await collaborators.locks.run(container.id, async () => {
    if (container.record.state.status === "paused") throw containerFaults.START_PAUSED();
    if (isRunning(container.record)) throw containerFaults.CONTAINER_ALREADY_STARTED();
    if (container.record.state.status === "removing")
      throw containerFaults.CONTAINER_BEING_REMOVED(container.id);
    const { restartCount, stoppedByUser = false } = container.record;
    container.restartDelayMs = 0;
    if (restartCount > 0 || stoppedByUser) {
      collaborators.index.update(container, { restartCount: 0, stoppedByUser: false }, { durable: false });
    }
    await beginRun(collaborators, container);
  });
}

/**
 * Start a container that waits for its restart. One whose restart was called off is left alone.
 * @throws {Fault} as `startContainer`; the container is then no longer to restart.
 */
export async function startAgain(collaborators: Collaborators, container: Container): Promise<void> {
  await collaborators.locks.run(container.id, async () => {
    if (container.record.state.status === "restarting") await beginRun(collaborators, container);
  });
}

async function beginRun(collaborators: Collaborators, container: Container): Promise<void> {
  await container.tornDown;
  try {
    await startRun(collaborators, container);
  } catch (error) {
    await failStart(collaborators, container, Fault.from(error));
    throw error;
  }
}

function withSecretEnv(record: ContainerRecord, secretEnv: readonly string[]): ContainerRecord {
  if (secretEnv.length === 0) return record;
  return { ...record, config: { ...record.config, env: [...record.config.env, ...secretEnv] } };
}

async function startRun(collaborators: Collaborators, container: Container): Promise<void> {
  const { index, places, names, ports, volumes, launcher, host, snapshots, migrations, reach } =
    collaborators;
  const { record } = container;
  checkDeviceRequests(record.hostConfig);
  migrations.warm();
  const overlay = snapshots.get(record.id);
  using place = await places.join(record, index);
  await using opened = new AsyncDisposableStack();
  try {
    reach("start.joined");
    // Before anything runs: an engine that finds the container after our death must know that the address is taken.
    index.update(container, { attachments: place.attachments }, { durable: false });
    reach("start.placed");
    const { nameServer, namespaceFd } = place;
    if (nameServer !== undefined && namespaceFd !== undefined) {
      names.serve(record, place.attachments, { nameServer, fd: namespaceFd });
    }
    const published = await ports.publish(container.record, place.attachments);
    if (published.ports.length > 0)
      index.update(container, { published: published.ports }, { durable: false });
    reach("start.published");
    const folders = await volumes.mount(volumesOf(record), record.id);
    const bundle = await writeBundle(collaborators, {
      record: withSecretEnv(withLinkVariables(record, index), container.secretEnv),
      place,
      overlay,
      folders,
    });
    reach("start.bundled");
    await container.delivery?.stop();
    const destination = await openLogDestination(container);
    if (destination) opened.use(destination);
    const attaches = [...container.pendingAttaches];
    const { config, hostConfig } = record;
    const userMap = userMapOf(hostConfig, host.facts);
    const runtime = host.runtimes[hostConfig.runtime];
    if (runtime === undefined) throw containerFaults.RUNTIME_UNKNOWN(hostConfig.runtime);
    const monitor = await launcher.start(
      {
        id: record.id,
        dir: runDirOf(host, record.id),
        rootfs: bundle.rootfs,
        overlay: asMounted(overlay, container),
        ...(userMap && { owners: layerOwnersOf(userMap) }),
        binds: bundle.binds,
        ...(bundle.shm && { shm: bundle.shm }),
        runtime: runtime.path,
        runtimeArgs: runtime.args,
        runtimeDelete: !runtime.path.endsWith("/crun"),
        runtimeDeadlineMs: host.runtimeDeadlineMs,
        cgroups: bundle.cgroups,
        ...logOptionsOf(collaborators, container),
        exitRecord: exitRecordPathOf(host, record.id),
        durable: !hostConfig.autoRemove,
        tty: config.tty,
        height: hostConfig.consoleSize[0],
        width: hostConfig.consoleSize[1],
        stdin: config.openStdin,
        stdinOnce: config.stdinOnce,
        attachCount: attaches.length,
      },
      place.namespaceFd === undefined ? {} : { namespaceFd: place.namespaceFd },
    );
    reach("start.launched");
    container.starting = monitor;
    if (container.unwanted) await giveUpStart(container);
    await published.ready;
    await runMonitor(collaborators, { container, monitor });
    opened.move();
    startLogDelivery(collaborators, container, destination);
  } catch (error) {
    // A monitor that says why has cleaned up; one that died has not.
    if (Fault.is(error, "unavailable")) await reapRun(host, record);
    throw await startFault(error, overlay.upper);
  } finally {
    container.starting = undefined;
  }
}

/** The layers of a container. What does not survive a power cut anyway is written so that its end does not wait for the disk. */
function asMounted(overlay: OverlayMount, { isVolatile, record }: Container): StartRequest["overlay"] {
  if (!isVolatile && !record.hostConfig.autoRemove) return overlay;
  forgetVolatile(overlay.work); // a restart
  return { ...overlay, options: ["volatile"] };
}

async function runMonitor(
  collaborators: Collaborators,
  { container, monitor }: { readonly container: Container; readonly monitor: Monitor },
): Promise<void> {
  const { started } = monitor;
  started.catch(() => {}); // awaited below; a start may fail while clients are being handed over
  const attaches = [...container.pendingAttaches];
  container.pendingAttaches.clear();
  await Promise.all(attaches.map((attach) => handToMonitor(monitor, attach))).catch(async (error) => {
    await started; // why it does not take clients, when that is because nothing starts
    throw error;
  });
  const { pid, startedAtMs } = await started;
  collaborators.reach("start.running");
  container.stopRequested = false;
  container.monitor = monitor;
  const { error: _error, ...state } = container.record.state;
  const isProbed = probePlanOf(container.record.config) !== undefined;
  collaborators.index.update(
    container,
    {
      ...(isProbed && { health: beginHealth(container.record.health) }),
      state: { ...state, error: "", status: "running", pid, startedAtMs, exitCode: 0, oomKilled: false },
    },
    { later: true }, // the monitor itself is the durable truth of a running container
  );
  collaborators.reach("start.recorded");
  publishVolumeEvents(collaborators.events, container, "mount");
  publishNetworkEvents(collaborators, container, "connect");
  publishContainerEvent(collaborators.events, container, "start");
  followRun(collaborators, container, monitor);
}

/** No driver injects devices here. @throws {Fault} `internal` in Docker's words, at the start as there */
function checkDeviceRequests({ deviceRequests: [first] }: HostConfig): void {
  if (first === undefined) return;
  const wanted = first.capabilities.map((each) => `[${each.join(" ")}]`).join(" ");
  throw containerFaults.DEVICE_DRIVER_UNKNOWN(first.driver, `[${wanted}]`);
}

/** Docker's `--log-driver none` keeps nothing; every other one has the same bounded file. */
function logOptionsOf(
  { host }: Collaborators,
  { record }: Container,
): { log?: { path: string; maxSizeBytes: number; maxFiles: number } } {
  const { log } = record.hostConfig;
  return log.driver === "none" ? {} : { log: { path: logPathOf(host, record.id), ...logFileLimits(log) } };
}

/** Docker's exit codes for a run that never began, by its words: 127 not found, 126 not permitted, else 128. */
function exitCodeOf(message: string): number {
  if (/executable file not found|no such file or directory/i.test(message)) return 127;
  if (/permission denied|not a directory|is a directory/i.test(message)) return 126;
  return 128;
}

/** Record why a container's run never began, tell its waiters, free the address, remove it if asked. */
export async function failStart(
  collaborators: Collaborators,
  container: Container,
  fault: Fault,
): Promise<void> {
  const exitCode = exitCodeOf(fault.message);
  const { state } = container.record;
  const attachments = attachmentsOf(container.record);
  collaborators.places.release(attachments);
  collaborators.names.release(container.id);
  if (container.record.published) await collaborators.ports.release(container.record);
  await collaborators.volumes.unmount(volumesOf(container.record), container.id);
  endPendingAttaches(container);
  collaborators.index.update(container, {
    state: {
      ...state,
      status: state.status === "restarting" ? "exited" : state.status,
      exitCode,
      error: fault.message,
    },
    attachments: withoutEndpoints(attachments),
    endpoint: undefined,
    published: undefined,
  });
  container.settleExit({ exitCode });
  if (container.record.hostConfig.autoRemove) await discardContainer(collaborators, container);
}
