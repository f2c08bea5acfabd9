import { encodeFrame } from "@hawser/api";
import type { LogEntry } from "@hawser/runtime";
import type { ContainerRecord } from "../../containers/container-record.ts";

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
export function formatLogDetails({
  config,
  hostConfig,
}: Pick<ContainerRecord, "config" | "hostConfig">): string {
  const { labels = "", env = "", tag } = hostConfig.log.options;
  const names = (text: string) => text.split(",").filter((name) => name !== "");
  const variables = new Map(config.env.map((entry) => splitOnce(entry)));
  const found = new Map<string, string>(tag === undefined ? [] : [["tag", tag]]);
  for (const name of names(labels))
    if (Object.hasOwn(config.labels, name)) found.set(name, config.labels[name] ?? "");
  for (const name of names(env)) if (variables.has(name)) found.set(name, variables.get(name) ?? "");
  const sorted = [...found].toSorted(([left], [right]) => (left < right ? -1 : 1));
  return `${sorted.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join(",")} `;
}

function splitOnce(entry: string): readonly [string, string] {
  const at = entry.indexOf("=");
  return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
}
