import { formatGeneral } from "./format-general.ts";
import { goQuote, goQuoteChar } from "./go-quote.ts";
import { bigintsAsNumbers, GoMap, GoStruct, type GoValue } from "./go-value.ts";

/** A value as Go's `%v` writes it. */
export function printValue(value: GoValue): string {
  if (value === undefined) return "<no value>";
  if (value === null) return "<nil>";
  if (typeof value === "string") return value;
  if (typeof value === "number") return printNumber(value);
  if (typeof value === "function") return "<func>";
  if (value instanceof GoMap)
    return `map[${value.sorted.map(([key, item]) => `${key}:${printValue(item)}`).join(" ")}]`;
  if (value instanceof GoStruct) return `{${value.values().map(printValue).join(" ")}}`;
  if (Array.isArray(value)) return `[${value.map(printValue).join(" ")}]`;
  return typeof value === "boolean" || typeof value === "bigint" ? String(value) : "";
}

function printNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value);
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

/** A value as JSON, characters of HTML as they are. */
export function jsonText(value: GoValue): string {
  if (value === undefined || value === null || typeof value === "function") return "null";
  if (value instanceof GoStruct) return value.toJsonText();
  if (value instanceof GoMap) {
    return `{${value.sorted.map(([key, item]) => `${JSON.stringify(key)}:${jsonText(item)}`).join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  return JSON.stringify(value, bigintsAsNumbers);
}

/** Go's `fmt.Sprintf` with the verbs that output formats use. */
export function sprintf(format: string, args: readonly GoValue[]): string {
  let used = 0;
  const next = () => {
    const value = args[used];
    return { value, missing: used++ >= args.length };
  };
  const text = format.replace(
    /%([-+# 0]*)(\*|\d{1,4})?(?:\.(\*|\d{0,4}))?(.|$)/gsu,
    (
      _whole,
      flags: string,
      widthText: string | undefined,
      precisionText: string | undefined,
      verb: string,
    ) => {
      if (verb === "%") return "%";
      if (verb === "") return "%!(NOVERB)";
      const width = widthText === "*" ? boundedNumber(next().value) : Number(widthText ?? 0);
      const precision =
        precisionText === undefined
          ? undefined
          : precisionText === "*"
            ? boundedNumber(next().value)
            : Number(precisionText || 0);
      const { value, missing } = next();
      if (missing) return `%!${verb}(MISSING)`;
      return pad(formatVerb({ verb, flags, precision, value }), { flags, width, value });
    },
  );
  const extra = args.slice(used).map((value) => `${goTypeName(value)}=${printValue(value)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(", ")})`;
}

function boundedNumber(value: GoValue): number {
  return typeof value === "number" ? Math.min(Math.abs(Math.trunc(value)), 10_000) : 0;
}

interface Verb {
  readonly verb: string;
  readonly flags: string;
  readonly precision: number | undefined;
  readonly value: GoValue;
}

function formatVerb({ verb, flags, precision, value }: Verb): string {
  const sign = flags.includes("+") && isNumber(value) && Number(value) >= 0 ? "+" : "";
  switch (verb) {
    case "v":
      return `${sign}${value === undefined ? "<nil>" : printValue(value)}`;
    case "s":
      if (typeof value === "string") return cut(value, precision);
      if (isNumber(value) || typeof value === "boolean") break;
      return value === undefined || value === null ? "%!s(<nil>)" : printValue(value);
    case "q":
      if (typeof value === "string") return goQuote(cut(value, precision));
      if (typeof value === "number")
        return goQuoteChar(String.fromCodePoint(Math.max(0, Math.trunc(value)) % 0x110000));
      if (Array.isArray(value))
        return `[${value.map((item) => formatVerb({ verb, flags, precision, value: item })).join(" ")}]`;
      break;
    case "t":
      if (typeof value === "boolean") return String(value);
      break;
    case "d":
      if (isWhole(value)) return `${sign}${String(value)}`;
      break;
    case "x":
    case "X":
    case "o":
    case "b":
      return formatRadix(verb, value);
    case "c":
      if (typeof value === "number") return String.fromCodePoint(Math.max(0, Math.trunc(value)) % 0x110000);
      break;
    case "f":
    case "F":
      if (typeof value === "number") return `${sign}${value.toFixed(Math.min(precision ?? 6, 100))}`;
      break;
    case "e":
      if (typeof value === "number") {
        return `${sign}${value.toExponential(Math.min(precision ?? 6, 100)).replace(/e([+-])(\d)$/, "e$10$2")}`;
      }
      break;
    case "g":
      if (typeof value === "number") {
        return `${sign}${precision === undefined ? printNumber(value) : formatGeneral(value, Math.min(precision || 1, 100))}`;
      }
      break;
    case "T":
      return goTypeName(value);
    default:
  }
  return `%!${verb}(${goTypeName(value)}=${printValue(value)})`;
}

function formatRadix(verb: string, value: GoValue): string {
  if (typeof value === "string" && verb.toLowerCase() === "x") {
    const hex = Buffer.from(value).toString("hex");
    return verb === "X" ? hex.toUpperCase() : hex;
  }
  if (!isWhole(value)) return `%!${verb}(${goTypeName(value)}=${printValue(value)})`;
  const text = BigInt(value).toString(verb === "o" ? 8 : verb === "b" ? 2 : 16);
  return verb === "X" ? text.toUpperCase() : text;
}

function pad(
  text: string,
  options: { readonly flags: string; readonly width: number; readonly value: GoValue },
): string {
  const length = Array.from(text).length;
  if (length >= options.width) return text;
  const fill = options.width - length;
  if (options.flags.includes("-")) return text + " ".repeat(fill);
  if (options.flags.includes("0") && isNumber(options.value)) {
    return text.replace(/^([+-]?)/, `$1${"0".repeat(fill)}`);
  }
  return " ".repeat(fill) + text;
}

function cut(text: string, precision: number | undefined): string {
  return precision === undefined ? text : Array.from(text).slice(0, precision).join("");
}

function isNumber(value: GoValue): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function isWhole(value: GoValue): value is number | bigint {
  return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
}

/** What Go would call the type, for messages. */
export function goTypeName(value: GoValue): string {
  switch (typeof value) {
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return Number.isInteger(value) ? "int" : "float64";
    case "undefined":
      return "<nil>";
    default:
      if (value === null) return "<nil>";
      if (Array.isArray(value)) return "[]string";
      return value instanceof GoMap ? "map[string]string" : "struct";
  }
}
