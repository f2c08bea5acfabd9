import { goQuote, parseGoBool } from "@hawser/base";
import { valueError } from "./value-error.ts";

/** `strconv.ParseBool`. */
export function requireGoBool(text: string): boolean {
  const parsed = parseGoBool(text);
  if (parsed === undefined) throw valueError(`strconv.ParseBool: parsing ${goQuote(text)}: invalid syntax`);
  return parsed;
}

/** `strconv.ParseInt` and `ParseUint` with base 0 (`0x10`, `0o17`, `017`, `0b1`, `1_000`). Loses precision beyond 2^53. */
export function parseGoInteger(
  text: string,
  options: { readonly bits?: 16 | 32 | 64; readonly unsigned?: boolean; readonly base?: 10 } = {},
): number {
  const { bits = 64, unsigned = false, base } = options;
  const call = unsigned ? "ParseUint" : "ParseInt";
  const match = (base === 10 ? /^([+-]?)(\d+)$/ : integerPattern).exec(text);
  const digits = match?.[2];
  if (match === null || digits === undefined || (unsigned && match[1] !== "")) {
    throw valueError(`strconv.${call}: parsing ${goQuote(text)}: invalid syntax`);
  }
  const plain = digits.replaceAll("_", "");
  const octal = base !== 10 && /^0\d/.test(plain);
  if (octal && /[89]/.test(plain))
    throw valueError(`strconv.${call}: parsing ${goQuote(text)}: invalid syntax`);
  const magnitude = BigInt(octal ? `0o${plain}` : plain);
  const value = match[1] === "-" ? -magnitude : magnitude;
  const high = unsigned ? 1n << BigInt(bits) : 1n << BigInt(bits - 1);
  if (value >= high || value < (unsigned ? 0n : -high)) {
    throw valueError(`strconv.${call}: parsing ${goQuote(text)}: value out of range`);
  }
  return Number(value);
}

const integerPattern = /^([+-]?)(0[xX](?:_?[\da-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|\d(?:_?\d)*)$/;
