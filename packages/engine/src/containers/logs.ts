import { isLogReadable, type LogEntry, readLog } from "@hawser/runtime";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { isRunning } from "./container-record.ts";
import { containerFaults } from "./faults.ts";
import { logPathOf } from "./host.ts";

export interface LogRequest {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Go on until the container's run, if it has one, is over and all of it has been read. */
  readonly follow: boolean;
  /** Last lines only. */
  readonly tail?: number;
  /** As log entries have times. */
  readonly since?: string;
  readonly until?: string;
  readonly signal?: AbortSignal;
}

/**
 * What a container has said, oldest first.
 * @throws {Fault} `not-implemented` when it keeps no log.
 */
export function containerLog(
  { host }: Collaborators,
  container: Container,
  request: LogRequest,
): AsyncGenerator<LogEntry> {
  checkLogKept(container);
  const { stdout, stderr, follow, ...options } = request;
  const entries = readLog(logPathOf(host, container.id), {
    ...options,
    ...(follow &&
      isRunning(container.record) && {
        followUntil: Promise.race([container.nextExit.promise, container.removed.promise]),
      }),
  });
  return onlyStreams(entries, { stdout, stderr });
}

/** @throws {Fault} `not-implemented` when it keeps no log. */
export function checkLogKept({ record }: Container): void {
  if (!isLogReadable(record.hostConfig.log)) throw containerFaults.LOG_NOT_KEPT();
}

/** Entries of the streams that are wanted. */
export async function* onlyStreams(
  entries: AsyncGenerator<LogEntry>,
  wanted: { readonly stdout: boolean; readonly stderr: boolean },
): AsyncGenerator<LogEntry> {
  for await (const entry of entries) if (wanted[entry.stream]) yield entry;
}
