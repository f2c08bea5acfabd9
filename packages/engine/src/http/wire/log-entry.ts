import { encodeFrame } from "@hawser/api";
import type { LogEntry } from "@hawser/runtime";
import type { ContainerRecord } from "../../containers/container-record.ts";
import { formatLogTag, logAttributesOf } from "../../containers/log-subject.ts";

/** A log entry as `GET /containers/{id}/logs` sends it: framed unless the container has a terminal, with its time if asked. */
export function formatLogEntry(
  entry: LogEntry,
  options: { readonly framed: boolean; readonly timestamps: boolean; readonly details?: string },
): Buffer {
  const text = `${options.details ?? ""}${entry.text}`;
  const bytes = Buffer.from(options.timestamps ? `${entry.time} ${text}` : text);
  return options.framed ? encodeFrame(entry.stream, bytes) : bytes;
}

/**
 * What `details` puts before each line: the labels and variables of the container that its log options name, and a space.
 */
export function formatLogDetails(record: ContainerRecord): string {
  const { tag = "" } = record.hostConfig.log.options;
  const said = { ...logAttributesOf(record), ...(tag !== "" && { tag: formatLogTag(record, tag) }) };
  const sorted = Object.entries(said).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return `${sorted.map(([name, value]) => `${queryEscape(name)}=${queryEscape(value)}`).join(",")} `;
}

/** As Go's `url.QueryEscape`. */
function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replace(/%20/g, "+")
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
