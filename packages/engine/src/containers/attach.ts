import type { Socket } from "node:net";
import {
  type AttachOptions,
  LogCursor,
  type LogEntry,
  type LogPosition,
  type Monitor,
} from "@hawser/runtime";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { logPathOf } from "./host.ts";
import { checkLogKept, onlyStreams } from "./logs.ts";
import { publishContainerEvent } from "./publish-event.ts";

/**
 * A client's connection after its request was answered: nothing but the container's streams goes over it any more.
 * Exactly one of `handTo` and `end` is called, once.
 */
export interface StreamClient {
  /** Hand the connection to a monitor: the engine's part in it ends, and the session outlives the engine. */
  handTo(
    take: (client: { readonly fd: number; readonly unread: Uint8Array }) => Promise<void>,
  ): Promise<void>;
  /** End the connection, with a last word of the engine if there is one. */
  end(message?: string): void;
}

/** One that attaches, and may want the log first. */
export interface AttachClient extends StreamClient {
  /** Write entries, before one of the others; returns when they are on their way, or the client has left. */
  replay(entries: AsyncIterable<LogEntry>): Promise<void>;
}

/** An attach that came before the start, waiting for the monitor. */
export type PendingAttach = ClientAttach | OwnAttach;

/** The engine's own: it has the streams itself. */
export interface OwnAttach {
  readonly options: AttachOptions;
  /** Given the streams before anything runs; the end of what is written is the end of input. */
  readonly receive: (streams: Socket) => void;
}

interface ClientAttach {
  readonly client: AttachClient;
  readonly options: AttachOptions;
  /** The client wants the log first and has it up to here. */
  readonly log?: LogCursor;
}

/**
 * Attach a client to a container's streams: at once when it runs, with its start when it does not yet. Docker's CLI
 * attaches before it starts, so that no output is missed.
 *
 * @param accept answers the client's request and gives its connection; called only when nothing can be refused any more
 * @param logs begin with what the container has said so far
 * @throws {Fault} `conflict` when the container is paused or waits for its restart, `not-implemented` when `logs` are not kept.
 */
export async function attachContainer(
  { events, host }: Collaborators,
  container: Container,
  request: {
    readonly options: AttachOptions;
    readonly logs: boolean;
    readonly accept: () => Promise<AttachClient>;
  },
): Promise<void> {
  const { options, logs, accept } = request;
  checkAttach(container);
  if (logs) checkLogKept(container);
  const client = await accept();
  const log = logs ? new LogCursor(logPathOf(host, container.id)) : undefined;
  const attach = { client, options, ...(log && { log }) };
  // Most of it now: what runs waits while a client has a place kept but does not read.
  await replayLog(attach);
  publishContainerEvent(events, container, "attach");
  const { monitor } = container;
  if (monitor === undefined) container.pendingAttaches.add(attach);
  else await handToMonitor(monitor, attach);
}

/** @throws {Fault} `conflict` when the container is paused or waits for its restart. */
export function checkAttach({ id, record }: Container): void {
  if (record.state.status === "paused") throw containerFaults.ATTACH_PAUSED(id);
  if (record.state.status === "restarting") throw containerFaults.ATTACH_RESTARTING(id);
}

/** The start that clients have waited for will not come. */
export function endPendingAttaches({ pendingAttaches }: Container): void {
  for (const attach of pendingAttaches) {
    if ("receive" in attach) continue; // whoever starts the container is told why nothing runs
    attach.client.end();
    void attach.log?.[Symbol.asyncDispose]();
  }
  pendingAttaches.clear();
}

/**
 * Hand a client to a monitor. A client that has left is no error, but the monitor, which may be waiting for so many
 * clients before it starts, is still shown one that leaves at once.
 */
export async function handToMonitor(monitor: Monitor, attach: PendingAttach): Promise<void> {
  if ("receive" in attach) {
    attach.receive(await monitor.openAttach(attach.options));
    return;
  }
  const { client, options, log } = attach;
  if (log !== undefined) return await handAfterLog(monitor, { ...attach, log });
  let taken = false;
  try {
    await client.handTo(async ({ fd, unread }) => {
      taken = true;
      await monitor.handOver(fd, { ...options, initial: unread });
    });
  } catch (error) {
    if (taken) throw error;
    (await monitor.openAttach(options)).destroy();
  }
}

/** As `handToMonitor`, with what the log has got until the client has its place. */
async function handAfterLog(
  monitor: Monitor,
  attach: ClientAttach & { readonly log: LogCursor },
): Promise<void> {
  await using _log = attach.log;
  using place = await monitor.reserve(attach.options);
  await replayLog(attach, place.logEnd);
  let taken = false;
  try {
    await attach.client.handTo(async ({ fd, unread }) => {
      taken = true;
      await place.take(fd, unread);
    });
  } catch (error) {
    if (taken) throw error;
  }
}

async function replayLog({ client, options, log }: ClientAttach, end?: LogPosition): Promise<void> {
  if (log !== undefined) await client.replay(onlyStreams(log.read(end), options));
}
