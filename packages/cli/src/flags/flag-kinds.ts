import { goQuote } from "@hawser/base";
import { parseByteSize } from "../options/byte-size.ts";
import { parseDurationNs } from "../options/duration.ts";
import { parseGoInteger, requireGoBool } from "../options/go-number.ts";
import { valueError } from "../options/value-error.ts";
import type { Flag, FlagText } from "./flag.ts";

/** A switch: `--rm`, `--rm=false`. */
export function boolFlag(usage: string, text: FlagText & { readonly initial?: boolean } = {}): Flag<boolean> {
  const { initial = false, ...rest } = text;
  return {
    ...rest,
    typeName: "",
    usage,
    initial,
    ...(initial && { shownDefault: "true" }),
    withoutValue: "true",
    parse: requireGoBool,
  };
}

export function stringFlag(usage: string, text: FlagText & { readonly initial?: string } = {}): Flag<string> {
  const { initial = "", ...rest } = text;
  return {
    ...rest,
    typeName: "string",
    usage,
    initial,
    ...(initial !== "" && { shownDefault: goQuote(initial) }),
    parse: (value) => value,
  };
}

/** A whole number as Go reads it (`0x10` too), within `bits`. */
export function intFlag(
  usage: string,
  text: FlagText & {
    readonly initial?: number;
    readonly bits?: 16 | 64;
    readonly unsigned?: boolean;
    readonly typeName?: string;
  } = {},
): Flag<number> {
  const { initial = 0, bits = 64, unsigned = false, typeName = unsigned ? "uint" : "int", ...rest } = text;
  return {
    ...rest,
    typeName,
    usage,
    initial,
    ...(initial !== 0 && { shownDefault: String(initial) }),
    parse: (value) => parseGoInteger(value, { bits, unsigned }),
  };
}

/** May be given more than once; each value goes through `check`, which may also rewrite it. */
export function listFlag(
  usage: string,
  text: FlagText & {
    readonly check?: (value: string) => string;
    readonly typeName?: string;
    readonly shownDefault?: string;
  } = {},
): Flag<readonly string[]> {
  const { check = (value: string) => value, typeName = "list", ...rest } = text;
  return { ...rest, typeName, usage, initial: [], parse: (value, before) => [...before, check(value)] };
}

/** May be given more than once, and each time with several values, separated by commas. */
export function commaListFlag(usage: string, text: FlagText = {}): Flag<readonly string[]> {
  return {
    ...text,
    typeName: "strings",
    usage,
    initial: [],
    parse: (value, before) => [...before, ...(value === "" ? [] : value.split(","))],
  };
}

/** `key=value`, more than once; the last one wins. Without `=` the value is empty. */
export function mapFlag(
  usage: string,
  text: FlagText & { readonly check?: (value: string) => string } = {},
): Flag<ReadonlyMap<string, string>> {
  const { check = (value: string) => value, ...rest } = text;
  return {
    ...rest,
    typeName: "map",
    usage,
    initial: new Map(),
    shownDefault: "map[]",
    parse: (given, before) => {
      const value = check(given);
      const at = value.indexOf("=");
      const key = at < 0 ? value : value.slice(0, at);
      return new Map(before).set(key, at < 0 ? "" : value.slice(at + 1));
    },
  };
}

/** A size, `512m`; in bytes. `allowMinusOne`: `-1` means without bound. */
export function bytesFlag(
  usage: string,
  text: FlagText & { readonly allowMinusOne?: boolean } = {},
): Flag<number> {
  const { allowMinusOne = false, ...rest } = text;
  return {
    ...rest,
    typeName: "bytes",
    usage,
    initial: 0,
    parse: (value) => (allowMinusOne && value === "-1" ? -1 : parseByteSize(value)),
  };
}

/** A time, `1m30s`; in nanoseconds. */
export function durationFlag(usage: string, text: FlagText = {}): Flag<number> {
  return { ...text, typeName: "duration", usage, initial: 0, shownDefault: "0s", parse: parseDurationNs };
}

/** Number of CPUs, `1.5`, as a rational number; in billionths. */
export function cpusFlag(usage: string, text: FlagText = {}): Flag<number> {
  return { ...text, typeName: "decimal", usage, initial: 0, parse: parseNanoCpus };
}

function parseNanoCpus(value: string): number {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?(?:\/(\d+))?$/.exec(value);
  const digits = `${match?.[2] ?? ""}${match?.[3] ?? ""}`;
  if (match === null || digits === "" || (match[5] !== undefined && Number(match[5]) === 0)) {
    throw valueError(`failed to parse ${value} as a rational number`);
  }
  const scale = Number(match[4] ?? "0") - (match[3] ?? "").length + 9;
  const amount = BigInt(digits);
  const divisor = BigInt(match[5] ?? "1") * (scale < 0 ? 10n ** BigInt(-scale) : 1n);
  const nanos = amount * (scale > 0 ? 10n ** BigInt(scale) : 1n);
  if (nanos % divisor !== 0n) throw valueError("value is too precise");
  return Number((nanos / divisor) * (match[1] === "-" ? -1n : 1n));
}

/** `name=value[,name=value…]` filters, more than once; each list under its name. */
export function filterFlag(usage: string, text: FlagText = {}): Flag<ReadonlyMap<string, readonly string[]>> {
  return {
    ...text,
    typeName: "filter",
    usage,
    initial: new Map(),
    parse: (value, before) => {
      if (value === "") return before;
      const at = value.indexOf("=");
      if (at < 0) throw valueError("bad format of filter (expected name=value)");
      const name = value.slice(0, at).trim().toLowerCase();
      const wanted = value.slice(at + 1).trim();
      const known = before.get(name) ?? [];
      return new Map(before).set(name, known.includes(wanted) ? known : [...known, wanted]);
    },
  };
}

/** An option whose values are parsed one by one into a list of something. */
export function parsedListFlag<T>(
  usage: string,
  text: FlagText & {
    readonly typeName: string;
    readonly shownDefault?: string;
    readonly parseOne: (value: string) => T;
  },
): Flag<readonly T[]> {
  const { parseOne, ...rest } = text;
  return { ...rest, usage, initial: [], parse: (value, before) => [...before, parseOne(value)] };
}
