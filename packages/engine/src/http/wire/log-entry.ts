import { encodeFrame } from "@hawser/api";
import { formatLogTime, type LogEntry } from "@hawser/runtime";
import { httpFaults } from "../faults.ts";

/** A log entry as `GET /containers/{id}/logs` sends it: framed unless the container has a terminal, with its time if asked. */
export function formatLogEntry(
  entry: LogEntry,
  options: { readonly framed: boolean; readonly timestamps: boolean },
): Buffer {
  const bytes = Buffer.from(options.timestamps ? `${entry.time} ${entry.text}` : entry.text);
  return options.framed ? encodeFrame(entry.stream, bytes) : bytes;
}

/**
 * Docker's `since` and `until`: seconds since 1970 with up to nine decimals, or RFC 3339; empty and 0 mean none.
 *
 * @returns the time as log entries have it
 * @throws {Fault} `invalid-argument`
 */
export function parseLogTime(name: string, text: string | undefined): string | undefined {
  if (text === undefined || text === "" || text === "0") return undefined;
  const [, seconds, decimals = ""] = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (seconds !== undefined)
    return formatLogTime(BigInt(seconds) * 1_000_000_000n + BigInt(decimals.padEnd(9, "0")));
  const milliseconds = Date.parse(text);
  if (!/^\d{4}-\d\d-\d\dT/.test(text) || Number.isNaN(milliseconds))
    throw httpFaults.TIME_INVALID(name, text);
  return formatLogTime(BigInt(milliseconds) * 1_000_000n);
}
