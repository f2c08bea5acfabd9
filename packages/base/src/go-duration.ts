import { goQuote } from "./template/go-quote.ts";

/** Go's units of time. */
const unitsNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/**
 * Go's durations (`time.ParseDuration`): `1h30m`, `-1.5s`, `0`.
 *
 * @returns nanoseconds, or what is wrong in the words of Go's parser
 */
export function parseDuration(text: string): { readonly ns: number } | { readonly problem: string } {
  const invalid = { problem: `time: invalid duration ${goQuote(text)}` };
  const sign = text.startsWith("-") ? -1 : 1;
  let rest = text.replace(/^[+-]/, "");
  if (rest === "0") return { ns: 0 };
  if (rest === "") return invalid;
  let total = 0;
  while (rest !== "") {
    const number = /^(\d+\.?\d*|\.\d+)/.exec(rest)?.[0];
    if (number === undefined) return invalid;
    rest = rest.slice(number.length);
    const unit = /^[^\d.]*/.exec(rest)?.[0] ?? "";
    if (unit === "") return { problem: `time: missing unit in duration ${goQuote(text)}` };
    const ns = unitsNs[unit];
    if (ns === undefined) {
      return { problem: `time: unknown unit ${goQuote(unit)} in duration ${goQuote(text)}` };
    }
    rest = rest.slice(unit.length);
    total += Number(number) * ns;
  }
  return total > 2 ** 63 ? invalid : { ns: total === 0 ? 0 : sign * Math.round(total) };
}

/** Nanoseconds as Go's `time.Duration` writes itself: `0s`, `200ms`, `1.5s`, `1m30s`. */
export function formatDurationNs(ns: number): string {
  if (ns === 0) return "0s";
  if (ns < 1e3) return `${ns}ns`;
  if (ns < 1e6) return `${ns / 1e3}µs`;
  if (ns < 1e9) return `${ns / 1e6}ms`;
  const hours = Math.floor(ns / 3600e9);
  const minutes = Math.floor(ns / 60e9) % 60;
  const seconds = `${Number(((ns % 60e9) / 1e9).toFixed(9))}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
