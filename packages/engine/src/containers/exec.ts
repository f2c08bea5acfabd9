import { Fault } from "@hawser/base";
import { formatRuntimeSpec } from "@hawser/oci";
import { type AttachOptions, buildExecProcess, resolveUser } from "@hawser/runtime";
import { withLinkVariables } from "../networks/network-files.ts";
import { readAccounts } from "./accounts.ts";
import type { StreamClient } from "./attach.ts";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { forgetOldExecs, writeExecFile, writeExecRecord } from "./exec-records.ts";
import { type ExecConfig, ExecSession } from "./exec-session.ts";
import { containerFaults } from "./faults.ts";
import { publishContainerEvent, publishExecEvent } from "./publish-event.ts";

/**
 * Prepare a process in a running container. Nothing runs yet.
 * @throws {Fault} `conflict` when the container does not run or is paused, `invalid-argument` without a command, or for a
 *   user whom the container does not know.
 */
export async function createExec(
  collaborators: Collaborators,
  container: Container,
  config: ExecConfig,
): Promise<ExecSession> {
  const { events, host, migrations } = collaborators;
  if (container.record.state.status === "restarting")
    throw containerFaults.CONTAINER_RESTARTING(container.id);
  if (container.monitor === undefined) throw containerFaults.EXEC_NOT_RUNNING_CONTAINER(container.id);
  if (container.record.state.status === "paused") throw containerFaults.EXEC_PAUSED(container.record.name);
  if (config.cmd.length === 0) throw containerFaults.EXEC_NO_COMMAND();
  if (config.user !== "") userOf(collaborators, container, config); // one that is not there is told of now
  migrations.warm();
  const id = Buffer.from(host.randomBytes(32)).toString("hex");
  const session = new ExecSession(id, container.id, config);
  writeExecRecord(host, session);
  container.execs.set(id, session);
  await forgetOldExecs(host, container);
  publishExecEvent(events, container, { id, cmd: config.cmd, action: "exec_create" });
  return session;
}

/** The exec with this id, and its container. @throws {Fault} `not-found` */
export function resolveExec(
  { index }: Collaborators,
  id: string,
): { readonly container: Container; readonly session: ExecSession } {
  for (const container of index.list()) {
    const session = container.execs.get(id);
    if (session !== undefined) return { container, session };
  }
  throw containerFaults.NO_SUCH_EXEC(id);
}

/**
 * Run a prepared exec: for a client whose connection becomes its streams, or, without one, detached.
 *
 * @param accept answers the client's request and gives its connection; from then on an error is told in the stream, and
 *   in the exec's exit code, as Docker's clients expect
 * @throws {Fault} `conflict` when it was started before or the container has ended; before `accept` only.
 */
export async function startExec(
  collaborators: Collaborators,
  { container, session }: { readonly container: Container; readonly session: ExecSession },
  request: {
    readonly options: AttachOptions;
    /** Size of the terminal, height and width; absent: the one of the create. */
    readonly consoleSize?: readonly [number, number];
    readonly accept?: () => Promise<StreamClient>;
  },
): Promise<void> {
  const { monitor } = container;
  if (session.phase === "ended") throw containerFaults.EXEC_ALREADY_RUN(session.id);
  if (session.phase !== "created") throw containerFaults.EXEC_ALREADY_RUNNING(session.id);
  if (monitor === undefined) throw containerFaults.EXEC_CONTAINER_STOPPED(container.id);
  session.phase = "starting";
  const size = request.consoleSize ?? session.config.consoleSize;
  const client = await request.accept?.();
  const run = async (descriptor?: { readonly fd: number; readonly unread: Uint8Array }) => {
    const process = writeExecProcess(collaborators, container, session);
    const { pid } = await monitor.exec(session.id, {
      process,
      tty: session.config.tty,
      ...(size && { height: size[0], width: size[1] }),
      ...request.options,
      ...(descriptor && { clientFd: descriptor.fd, initial: descriptor.unread }),
    });
    if (session.phase === "starting") session.phase = "running";
    session.pid = pid;
  };
  try {
    publishExecEvent(collaborators.events, container, {
      id: session.id,
      cmd: session.config.cmd,
      action: "exec_start",
    });
    if (client === undefined) await run();
    else await client.handTo(run);
  } catch (error) {
    const { message } = Fault.from(error);
    session.settle(/executable file not found|no such file or directory/i.test(message) ? 127 : 126);
    if (client === undefined) throw error;
    client.end(`${message}\r\n`);
  }
  void session.ended.promise.then((exitCode) =>
    publishContainerEvent(collaborators.events, container, "exec_die", {
      execID: session.id,
      exitCode: String(exitCode),
    }),
  );
}

/** Write the OCI process of an exec for the monitor to read; returns its path. */
export function writeExecProcess(
  collaborators: Collaborators,
  container: Container,
  session: ExecSession,
): string {
  const { host, index } = collaborators;
  const { config, hostConfig } = withLinkVariables(container.record, index);
  const process = buildExecProcess({
    config,
    hostConfig,
    exec: session.config,
    user: userOf(collaborators, container, session.config),
    host: host.facts,
  });
  return writeExecFile(host, session, { kind: "process", text: formatRuntimeSpec(process) });
}

/** @throws {Fault} `invalid-argument` when the container knows no such user. */
function userOf({ snapshots }: Collaborators, container: Container, exec: Pick<ExecConfig, "user">) {
  const { config, hostConfig } = container.record;
  const accounts = readAccounts(snapshots.get(container.id));
  return resolveUser(exec.user || config.user, { ...accounts, groupAdd: hostConfig.groupAdd });
}

/**
 * Set the size of an exec's terminal; without one there is nothing to set.
 * @throws {Fault} `conflict` when it does not run: Docker's CLI then tries again.
 */
export async function resizeExec(
  { container, session }: { readonly container: Container; readonly session: ExecSession },
  size: { readonly height: number; readonly width: number },
): Promise<void> {
  if (container.monitor === undefined || session.phase !== "running")
    throw containerFaults.EXEC_NOT_RUNNING(session.id);
  if (session.config.tty) await container.monitor.resize(size, { exec: session.id });
}
