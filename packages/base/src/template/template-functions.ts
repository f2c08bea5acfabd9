import { type GoFunction, GoMap, type GoValue } from "./go-value.ts";
import { goTypeName, jsonText, printValue, sprintf } from "./print-value.ts";

/** What a function refuses; whoever runs the template adds where. */
export class CallError extends Error {
  /** The argument that is wrong, where it is one. */
  readonly argument: { readonly value: GoValue } | undefined;

  constructor(words: string, argument?: { readonly value: GoValue }) {
    super(words);
    this.argument = argument;
  }
}

/** Whether Go takes a value for true: not empty, not zero. */
export function isTrue(value: GoValue): boolean {
  if (value instanceof GoMap) return value.entries.size > 0;
  if (Array.isArray(value)) return value.length > 0;
  return Boolean(value);
}

/**
 * The functions of output formats: Go's own, and Docker's `json`, `split`, `join`, `title`, `lower`, `upper`, `pad`, `truncate`.
 * `and` and `or` are here too, though `runTemplate` evaluates their arguments only as far as needed.
 */
export const templateFunctions: ReadonlyMap<string, GoFunction> = new Map<string, GoFunction>([
  ["and", (...args) => args.find((value) => !isTrue(value)) ?? args.at(-1)],
  ["or", (...args) => args.find(isTrue) ?? args.at(-1)],
  ["not", (value) => !isTrue(value)],
  ["len", (value) => lengthOf(value)],
  ["index", (value, ...keys) => keys.reduce(indexOne, value)],
  ["slice", (value, ...bounds) => sliceOf(value, bounds)],
  ["print", (...args) => print(args)],
  ["println", (...args) => `${args.map(printArgument).join(" ")}\n`],
  ["printf", (format, ...args) => sprintf(text(format), args)],
  ["html", (...args) => escapeHtml(print(args))],
  ["js", (...args) => JSON.stringify(print(args)).slice(1, -1).replaceAll("'", "\\'")],
  ["urlquery", (...args) => encodeURIComponent(print(args)).replaceAll("%20", "+")],
  ["call", (value, ...args) => callValue(value, args)],
  ["eq", (first, ...others) => equalsAny(first, others)],
  ["ne", (a, b) => !equals(a, b)],
  ["lt", (a, b) => compare(a, b) < 0],
  ["le", (a, b) => compare(a, b) <= 0],
  ["gt", (a, b) => compare(a, b) > 0],
  ["ge", (a, b) => compare(a, b) >= 0],
  ["json", (value) => jsonText(value)],
  ["split", (value, separator) => text(value).split(text(separator))],
  ["join", (values, separator) => list(values).map(printValue).join(text(separator))],
  [
    "title",
    (value) =>
      text(value).replace(
        /(^|[^\p{L}\p{Nd}_'])(\p{Ll})/gu,
        (_, before: string, letter: string) => before + letter.toUpperCase(),
      ),
  ],
  ["lower", (value) => text(value).toLowerCase()],
  ["upper", (value) => text(value).toUpperCase()],
  ["pad", (value, before, after) => padded(text(value), spaces(before), spaces(after))],
  ["truncate", (value, length) => truncated(text(value), length)],
]);

/** How many arguments each takes; absent: any number. */
export const argumentCounts: ReadonlyMap<string, readonly [number, number]> = new Map([
  ["not", [1, 1]],
  ["len", [1, 1]],
  ["index", [1, 64]],
  ["slice", [1, 4]],
  ["printf", [1, 64]],
  ["call", [1, 64]],
  ["eq", [1, 64]],
  ["ne", [2, 2]],
  ["lt", [2, 2]],
  ["le", [2, 2]],
  ["gt", [2, 2]],
  ["ge", [2, 2]],
  ["and", [1, 64]],
  ["or", [1, 64]],
  ["json", [1, 1]],
  ["split", [2, 2]],
  ["join", [2, 2]],
  ["title", [1, 1]],
  ["lower", [1, 1]],
  ["upper", [1, 1]],
  ["pad", [3, 3]],
  ["truncate", [2, 2]],
]);

function text(value: GoValue): string {
  if (typeof value === "string") return value;
  throw new CallError(`wrong type for value; expected string; got ${goTypeName(value)}`, { value });
}

function list(value: GoValue): readonly GoValue[] {
  if (Array.isArray(value)) return value as readonly GoValue[];
  throw new CallError(`wrong type for value; expected []string; got ${goTypeName(value)}`, { value });
}

function whole(value: GoValue): number {
  if (typeof value === "number" && Number.isInteger(value)) return value;
  if (typeof value === "bigint") return Number(value);
  throw new CallError(`cannot index slice/array with type ${goTypeName(value)}`);
}

function lengthOf(value: GoValue): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof GoMap) return value.entries.size;
  if (value === undefined || value === null) throw new CallError("error calling len: len of nil pointer");
  throw new CallError(`error calling len: len of type ${goTypeName(value)}`);
}

function indexOne(value: GoValue, key: GoValue): GoValue {
  if (value instanceof GoMap) {
    if (typeof key !== "string")
      throw new CallError(`error calling index: value has type ${goTypeName(key)}; should be string`);
    return value.entries.has(key) ? value.entries.get(key) : "";
  }
  if (Array.isArray(value)) {
    const at = whole(key);
    if (at < 0 || at >= value.length) throw new CallError(`error calling index: index out of range: ${at}`);
    return (value as readonly GoValue[])[at];
  }
  if (typeof value === "string") {
    const bytes = Buffer.from(value);
    const at = whole(key);
    if (at < 0 || at >= bytes.length) throw new CallError(`error calling index: index out of range: ${at}`);
    return bytes[at];
  }
  if (value === undefined || value === null) throw new CallError("error calling index: index of untyped nil");
  throw new CallError(`error calling index: can't index item of type ${goTypeName(value)}`);
}

function sliceOf(value: GoValue, bounds: readonly GoValue[]): GoValue {
  const whole_ = bounds.map(whole);
  const length = lengthOf(value);
  const [from = 0, to = length] = whole_;
  for (const bound of whole_) {
    if (bound < 0 || bound > length) throw new CallError(`error calling slice: index out of range: ${bound}`);
  }
  if (from > to) throw new CallError(`error calling slice: invalid slice index: ${from} > ${to}`);
  if (typeof value === "string") return Buffer.from(value).subarray(from, to).toString();
  if (Array.isArray(value)) return value.slice(from, to) as readonly GoValue[];
  throw new CallError(`error calling slice: can't slice item of type ${goTypeName(value)}`);
}

function print(args: readonly GoValue[]): string {
  let out = "";
  for (const [at, value] of args.entries()) {
    // as Go's Sprint: a space between two values of which neither is text
    if (at > 0 && typeof value !== "string" && typeof args[at - 1] !== "string") out += " ";
    out += printArgument(value);
  }
  return out;
}

function printArgument(value: GoValue): string {
  return value === undefined ? "<nil>" : printValue(value);
}

function escapeHtml(value: string): string {
  const names: Readonly<Record<string, string>> = {
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    "'": "&#39;",
    '"': "&#34;",
    "\0": "\ufffd",
  };
  return value.replace(/[<>&'"\0]/g, (char) => names[char] ?? char);
}

function callValue(value: GoValue, args: readonly GoValue[]): GoValue {
  if (typeof value === "function") return value(...args);
  throw new CallError(`error calling call: non-function of type ${goTypeName(value)}`);
}

function equalsAny(first: GoValue, others: readonly GoValue[]): boolean {
  if (others.length === 0) throw new CallError("error calling eq: missing argument for comparison");
  return others.some((other) => equals(first, other));
}

function basicKind(value: GoValue): string {
  if (typeof value === "bigint") return "number";
  if (value === null) return "undefined";
  return typeof value === "object" ? "other" : typeof value;
}

function equals(a: GoValue, b: GoValue): boolean {
  const kinds = [basicKind(a), basicKind(b)];
  if (kinds.includes("undefined")) return (a ?? undefined) === (b ?? undefined);
  if (kinds.includes("other") || kinds.includes("function")) {
    throw new CallError("error calling eq: non-comparable type");
  }
  if (kinds[0] !== kinds[1]) throw new CallError("error calling eq: incompatible types for comparison");
  // biome-ignore lint/suspicious/noDoubleEquals: a bigint and a number may be equal
  return isNumeric(a) && isNumeric(b)
    ? Number(a) === Number(b) && BigInt(Math.trunc(Number(a))) === BigInt(Math.trunc(Number(b)))
    : a === b;
}

function isNumeric(value: GoValue): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function compare(a: GoValue, b: GoValue): number {
  if (isNumeric(a) && isNumeric(b)) return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  const known = (value: GoValue) => isNumeric(value) || typeof value === "string";
  throw new CallError(
    known(a) && known(b)
      ? "error calling lt: incompatible types for comparison"
      : "error calling lt: invalid type for comparison",
  );
}

/** No output format needs more. */
const maxPad = 10_000;

function spaces(value: GoValue): string {
  return " ".repeat(Math.max(0, Math.min(maxPad, whole(value))));
}

function padded(value: string, before: string, after: string): string {
  return value === "" ? "" : `${before}${value}${after}`;
}

function truncated(value: string, length: GoValue): string {
  const count = whole(length);
  return count < 0 ? value : Array.from(value).slice(0, count).join("");
}
