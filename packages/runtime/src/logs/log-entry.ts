/** One entry of a container's log: a line of output, or a part of a long one. */
export interface LogEntry {
  readonly stream: "stdout" | "stderr";
  /** As written, with its newline; without one it is not the end of its line. */
  readonly text: string;
  /** UTC with nine digits, `2026-11-23T18:27:58.123456789Z`: such texts sort as the times do. */
  readonly time: string;
}

const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/;

/** A line of the log file, `docs/contracts/log-format.md`; `undefined` when it is none: torn, or written by someone else. */
export function parseLogLine(line: string): LogEntry | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const { log: text, stream, time } = json as Partial<Record<"log" | "stream" | "time", unknown>>;
  if (typeof text !== "string" || typeof time !== "string" || !timePattern.test(time)) return undefined;
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  return { stream, text, time };
}

/** A time as log entries have it, to compare with them. */
export function formatLogTime(nanosecondsSince1970: bigint): string {
  const seconds = nanosecondsSince1970 / 1_000_000_000n;
  const rest = nanosecondsSince1970 % 1_000_000_000n;
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, "2026-11-23T18:27:58".length);
  return `${whole}.${rest.toString().padStart(9, "0")}Z`;
}
