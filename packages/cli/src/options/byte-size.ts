import { goQuote } from "@hawser/base";
import { valueError } from "./value-error.ts";

const powers: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5 };

/**
 * A size as Docker's options take it, units of 1024: `32`, `32k`, `1.5 GiB`, `512mb`. In bytes, whole.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseByteSize(text: string): number {
  const end = lastIndexOfAny(text, "0123456789. ");
  if (end < 0) throw valueError(`invalid size: '${text}'`);
  const number = text[end] === " " ? text.slice(0, end) : text.slice(0, end + 1);
  const unit = text.slice(end + 1).toLowerCase();
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(number)) {
    throw valueError(`strconv.ParseFloat: parsing ${goQuote(number)}: invalid syntax`);
  }
  const amount = Number(number);
  if (amount < 0) throw valueError(`invalid size: '${text}'`);
  if (unit === "" || unit === "b") return Math.trunc(amount);
  const power = powers[unit[0] ?? ""];
  if (power === undefined || !["", "b", "ib"].includes(unit.slice(1)))
    throw valueError(`invalid suffix: '${unit}'`);
  return Math.trunc(amount * 1024 ** power);
}

function lastIndexOfAny(text: string, chars: string): number {
  for (let at = text.length - 1; at >= 0; at--) if (chars.includes(text[at] ?? "")) return at;
  return -1;
}
