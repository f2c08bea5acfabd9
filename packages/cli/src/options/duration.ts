import { durationUnitsNs, goQuote } from "@hawser/base";
import { valueError } from "./value-error.ts";

/**
 * Go's durations: `1h30m`, `-1.5s`, `0`. In nanoseconds.
 *
 * @throws {Fault} `invalid-argument` in the words of Go's parser.
 */
export function parseDuration(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  let rest = text.replace(/^[+-]/, "");
  if (rest === "0") return 0;
  if (rest === "") throw valueError(`time: invalid duration ${goQuote(text)}`);
  let total = 0;
  while (rest !== "") {
    const number = /^(\d+\.?\d*|\.\d+)/.exec(rest)?.[0];
    if (number === undefined) throw valueError(`time: invalid duration ${goQuote(text)}`);
    rest = rest.slice(number.length);
    const unit = /^[^\d.]*/.exec(rest)?.[0] ?? "";
    if (unit === "") throw valueError(`time: missing unit in duration ${goQuote(text)}`);
    const ns = durationUnitsNs[unit];
    if (ns === undefined)
      throw valueError(`time: unknown unit ${goQuote(unit)} in duration ${goQuote(text)}`);
    rest = rest.slice(unit.length);
    total += Number(number) * ns;
  }
  if (total > 2 ** 63) throw valueError(`time: invalid duration ${goQuote(text)}`);
  return sign * Math.round(total);
}
