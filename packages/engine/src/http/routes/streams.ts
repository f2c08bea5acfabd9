import type { Writable } from "node:stream";
import { encodeFrame } from "@hawser/api";
import { Fault } from "@hawser/base";
import { type AttachOptions, formatLogTime } from "@hawser/runtime";
import { type AttachClient, attachContainer, checkAttach } from "../../containers/attach.ts";
import type { Collaborators } from "../../containers/collaborators.ts";
import type { Container } from "../../containers/container.ts";
import { containerLog } from "../../containers/logs.ts";
import { httpFaults } from "../faults.ts";
import { hijack, multiplexedStreamType, rawStreamType } from "../hijack.ts";
import type { Query } from "../query.ts";
import { relayTo } from "../relay.ts";
import type { ApiRequest } from "../request.ts";
import type { Route } from "../router.ts";
import { parseTimestamp } from "../timestamp.ts";
import { openWebSocket } from "../websocket.ts";
import { decodeDetachKeys } from "../wire/detach-keys.ts";
import { formatLogDetails, formatLogEntry } from "../wire/log-entry.ts";

/** The streams of a container: attach and logs. */
export function streamRoutes(collaborators: Collaborators): Route[] {
  const { index } = collaborators;
  const serveAttach = async (
    { query }: ApiRequest,
    attach: {
      readonly container: Container;
      readonly options: AttachOptions;
      readonly accept: () => Promise<AttachClient>;
    },
  ) => {
    const { container, options, accept } = attach;
    const logs = query.flag("logs");
    if (query.flag("stream"))
      return await attachContainer(collaborators, container, { options, logs, accept });
    const entries = logs && containerLog(collaborators, container, { ...options, follow: false });
    const client = await accept();
    if (entries) await client.replay(entries);
    client.end();
  };
  return [
    {
      method: "POST",
      path: "/containers/{id}/attach",
      hijacks: true,
      async handler(request, response) {
        const container = index.resolve(request.param("id"));
        const { tty } = container.record.config;
        const options = readAttachOptions(request.query, { tty });
        await serveAttach(request, {
          container,
          options,
          accept: async () => {
            const connection = await hijack(request, response);
            await connection.accept({ multiplexed: !tty });
            return { ...connection, replay: replayTo(connection.socket, options) };
          },
        });
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
        const options = {
          ...readAttachOptions(request.query, { tty }),
          ...(!request.atLeast("1.42") && { stdin: true, stdout: true, stderr: true }),
          format: "raw" as const,
        };
        checkAttach(container);
        const target = await openWebSocket(request, response);
        if (target === undefined) return;
        target.on("error", () => target.destroy());
        const client: AttachClient = {
          replay: replayTo(target, options),
          handTo: (take) => relayTo(target, { take, close: () => target.end() }),
          end: (message) => target.end(message),
        };
        await serveAttach(request, { container, options, accept: async () => client });
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
        try {
          for await (const entry of entries)
            await stream.write(formatLogEntry(entry, { framed: !tty, timestamps, details }));
        } catch (error) {
          request.signal.throwIfAborted();
          // Too late for another status: clients look for the reason in the stream.
          const reason = Buffer.from(`Error grabbing logs: ${Fault.from(error).message}\n`);
          await stream.write(tty ? reason : encodeFrame("error", reason));
        }
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

/** Writes entries of a log to a client, as the client's streams are to come. */
function replayTo(target: Writable, { format }: AttachOptions): AttachClient["replay"] {
  return async (entries) => {
    for await (const entry of entries) {
      if (target.destroyed) return;
      const chunk = formatLogEntry(entry, { framed: format === "frames", timestamps: false });
      if (!target.write(chunk)) await drained(target);
    }
  };
}

/** What was written is on its way, or will never be. */
async function drained(target: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ["drain", "close", "error"]) target.once(event, resolve);
  await promise;
  for (const event of ["drain", "close", "error"]) target.off(event, resolve);
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
