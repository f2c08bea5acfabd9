import type { AttachOptions, Monitor } from "@hawser/runtime";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { publishContainerEvent } from "./publish-event.ts";

/**
 * A client's connection after its request was answered: nothing but the container's streams goes over it any more.
 * Exactly one of the two methods is called, once.
 */
export interface StreamClient {
  /** Hand the connection to a monitor: the engine's part in it ends, and the session outlives the engine. */
  handTo(
    take: (client: { readonly fd: number; readonly unread: Uint8Array }) => Promise<void>,
  ): Promise<void>;
  /** End the connection, with a last word of the engine if there is one. */
  end(message?: string): void;
}

/** An attach that came before the start, waiting for the monitor. */
export interface PendingAttach {
  readonly client: StreamClient;
  readonly options: AttachOptions;
}

/**
 * Attach a client to a container's streams: at once when it runs, with its start when it does not yet. Docker's CLI
 * attaches before it starts, so that no output is missed.
 *
 * @param accept answers the client's request and gives its connection; called only when nothing can be refused any more
 * @throws {Fault} `conflict` when the container is paused or waits for its restart.
 */
export async function attachContainer(
  { events }: Collaborators,
  container: Container,
  request: { readonly options: AttachOptions; readonly accept: () => Promise<StreamClient> },
): Promise<void> {
  checkAttach(container);
  const client = await request.accept();
  publishContainerEvent(events, container, "attach");
  const { monitor } = container;
  if (monitor === undefined) container.pendingAttaches.add({ client, options: request.options });
  else await handToMonitor(monitor, { client, options: request.options });
}

/** @throws {Fault} `conflict` when the container is paused or waits for its restart. */
export function checkAttach({ id, record }: Container): void {
  if (record.state.status === "paused") throw containerFaults.ATTACH_PAUSED(id);
  if (record.state.status === "restarting") throw containerFaults.ATTACH_RESTARTING(id);
}

/**
 * Hand a client to a monitor. A client that has left is no error, but the monitor, which may be waiting for so many
 * clients before it starts, is still shown one that leaves at once.
 */
export async function handToMonitor(monitor: Monitor, { client, options }: PendingAttach): Promise<void> {
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
