import { encodeFrame } from "@hawser/api";
import type { LogEntry } from "@hawser/runtime";

/** A log entry as `GET /containers/{id}/logs` sends it: framed unless the container has a terminal, with its time if asked. */
export function formatLogEntry(
  entry: LogEntry,
  options: { readonly framed: boolean; readonly timestamps: boolean },
): Buffer {
  const bytes = Buffer.from(options.timestamps ? `${entry.time} ${entry.text}` : entry.text);
  return options.framed ? encodeFrame(entry.stream, bytes) : bytes;
}
