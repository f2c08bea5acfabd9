import { parseDuration } from "@hawser/base";
import { valueError } from "./value-error.ts";

/**
 * A moment as Docker's options take it: seconds since 1970 (`1136073845.000000001`), a date or time (RFC 3339, parts may be
 * left out, without zone it is local), or how long ago (`42m`). The result is `seconds[.nanoseconds]`.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseTimestamp(text: string, now: Date): string {
  const ago = parseDuration(text);
  if ("ns" in ago) return formatNs(BigInt(now.getTime()) * 1_000_000n - BigInt(ago.ns));
  if (/^\d+(\.\d+)?$/.test(text)) return text;
  const match =
    /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(
      text,
    );
  if (match === null) throw valueError(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", zone] = match;
  const stamp = `${year}-${month}-${day}T${hour}:${minute}:${second}${zone ?? ""}`;
  const ms = new Date(stamp).getTime();
  if (Number.isNaN(ms))
    throw valueError(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return `${Math.floor(ms / 1000)}.${fraction.padEnd(9, "0")}`;
}

function formatNs(ns: bigint): string {
  const seconds = ns / 1_000_000_000n;
  return `${seconds}.${(ns - seconds * 1_000_000_000n).toString().padStart(9, "0")}`;
}
