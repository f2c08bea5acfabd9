import { once } from "node:events";
import type { Duplex } from "node:stream";
import { type AttachOptions, formatLogTime } from "@hawser/runtime";
import { attachContainer, checkAttach, type StreamClient } from "../../containers/attach.ts";
import type { Collaborators } from "../../containers/collaborators.ts";
import type { Container } from "../../containers/container.ts";
import { containerLog } from "../../containers/logs.ts";
import { httpFaults } from "../faults.ts";
import { hijack, multiplexedStreamType, rawStreamType } from "../hijack.ts";
import type { Query } from "../query.ts";
import { relayTo } from "../relay.ts";
import type { Route } from "../router.ts";
import { parseTimestamp } from "../timestamp.ts";
import { openWebSocket } from "../websocket.ts";
import { decodeDetachKeys } from "../wire/detach-keys.ts";
import { formatLogDetails, formatLogEntry } from "../wire/log-entry.ts";

/** The streams of a container: attach and logs. */
export function streamRoutes(collaborators: Collaborators): Route[] {
  const { index } = collaborators;
  return [
    {
      method: "POST",
      path: "/containers/{id}/attach",
      hijacks: true,
      async handler(request, response) {
        const container = index.resolve(request.param("id"));
        const { tty } = container.record.config;
        const options = readAttachOptions(request.query, { tty });
        const isStream = request.query.flag("stream");
        const accept = async () => {
          const connection = await hijack(request, response);
          connection.accept({ multiplexed: !tty });
          const { socket: target } = connection;
          if (request.query.flag("logs")) await replayLog(collaborators, { container, target, options });
          return connection;
        };
        if (isStream) await attachContainer(collaborators, container, { options, accept });
        else (await accept()).end();
      },
    },
    {
      method: "GET",
      path: "/containers/{id}/attach/ws",
      hijacks: true,
      async handler(request, response) {
        const container = index.resolve(request.param("id"));
        const { tty } = container.record.config;
        // Both streams as they come: messages have no room for which is which.
        const options = { ...readAttachOptions(request.query, { tty }), format: "raw" as const };
        checkAttach(container);
        const target = await openWebSocket(request, response);
        if (target === undefined) return;
        target.on("error", () => target.destroy());
        if (request.query.flag("logs")) await replayLog(collaborators, { container, target, options });
        const client: StreamClient = {
          handTo: (take) => relayTo(target, { take, close: () => target.end() }),
          end: (message) => target.end(message),
        };
        if (request.query.flag("stream"))
          await attachContainer(collaborators, container, { options, accept: async () => client });
        else client.end();
      },
    },
    {
      method: "GET",
      path: "/containers/{id}/logs",
      async handler(request, response) {
        const container = index.resolve(request.param("id"));
        const { query } = request;
        const [stdout, stderr] = [query.flag("stdout"), query.flag("stderr")];
        if (!stdout && !stderr) throw httpFaults.LOG_STREAM_MISSING();
        const tail = query.text("tail");
        const since = readLogTime(query, "since");
        const until = readLogTime(query, "until");
        const { tty } = container.record.config;
        const entries = containerLog(collaborators, container, {
          stdout,
          stderr,
          follow: query.flag("follow"),
          ...(tail !== undefined && /^\d{1,9}$/.test(tail) && { tail: Number(tail) }),
          ...(since !== undefined && { since }),
          ...(until !== undefined && { until }),
          signal: request.signal,
        });
        const framed = !tty && request.atLeast("1.42");
        const stream = response.openStream(200, {
          contentType: framed ? multiplexedStreamType : rawStreamType,
        });
        const timestamps = query.flag("timestamps");
        const details = query.flag("details") ? formatLogDetails(container.record) : "";
        for await (const entry of entries)
          await stream.write(formatLogEntry(entry, { framed: !tty, timestamps, details }));
        stream.end();
      },
    },
  ];
}

/** A point in time as log entries have it; 0 means none. */
function readLogTime(query: Query, name: string): string | undefined {
  const timeNs = parseTimestamp(query.text(name));
  return timeNs === undefined || timeNs === 0n ? undefined : formatLogTime(timeNs);
}

/** What the container has said so far, before what it says from now on. */
async function replayLog(
  collaborators: Collaborators,
  replay: {
    readonly container: Container;
    readonly target: Duplex;
    readonly options: AttachOptions;
  },
): Promise<void> {
  const { container, target, options } = replay;
  const entries = containerLog(collaborators, container, { ...options, follow: false });
  for await (const entry of entries) {
    const chunk = formatLogEntry(entry, { framed: options.format === "frames", timestamps: false });
    if (!target.write(chunk)) await once(target, "drain");
  }
}

function readAttachOptions(query: Query, container: { readonly tty: boolean }): AttachOptions {
  const detachKeys = decodeDetachKeys(query.text("detachKeys") ?? "");
  return {
    stdin: query.flag("stdin"),
    stdout: query.flag("stdout"),
    stderr: query.flag("stderr"),
    format: container.tty ? "raw" : "frames",
    ...(container.tty && { detachKeys }),
  };
}
