import { httpFaults } from "./faults.ts";

/**
 * A point in time of a query (`since`, `until`): seconds since 1970 with decimals, of which nine count, or RFC 3339.
 *
 * @returns nanoseconds since 1970; `undefined` for absent and empty text
 * @throws {Fault} `invalid-argument`
 */
export function parseTimestamp(text: string | undefined): bigint | undefined {
  if (text === undefined || text === "") return undefined;
  const [, seconds, fraction = ""] = /^(-?\d{1,12})(?:\.(\d{0,9})\d*)?$/.exec(text) ?? [];
  if (seconds !== undefined) return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
  const [, whole, decimals = "", zone] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const ms = whole === undefined ? Number.NaN : Date.parse(`${whole}${zone}`);
  if (Number.isNaN(ms)) throw httpFaults.TIMESTAMP_INVALID(text);
  return BigInt(ms) * 1_000_000n + BigInt(decimals.padEnd(9, "0"));
}
