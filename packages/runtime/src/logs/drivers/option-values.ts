import { goQuote, parseByteSize, parseDuration, parseGoBool } from "@hawser/base";
import { runtimeFaults } from "../../faults.ts";

const refused = (words: string) => runtimeFaults.LOG_OPTION_INVALID(words);

/**
 * A yes or no as Go's `strconv.ParseBool` reads it; absent and empty: no.
 * @throws {Fault} `invalid-argument`
 */
export function parseLogFlag(text: string | undefined): boolean {
  if (text === undefined || text === "") return false;
  const parsed = parseGoBool(text);
  if (parsed === undefined) throw refused(`strconv.ParseBool: parsing ${goQuote(text)}: invalid syntax`);
  return parsed;
}

/**
 * A size as Docker's options have it: `64`, `10k`, `1.5MB`, in powers of `base`.
 * @throws {Fault} `invalid-argument`
 */
export function parseLogSize(text: string, base: 1000 | 1024): number {
  const bytes = parseByteSize(text, base);
  if (bytes === undefined) throw refused(`invalid size: '${text}'`);
  return bytes;
}

/**
 * A whole number as Go's `strconv.Atoi` reads it.
 * @throws {Fault} `invalid-argument`
 */
export function parseLogNumber(text: string): number {
  if (!/^[+-]?\d{1,15}$/.test(text)) throw refused(`strconv.Atoi: parsing ${goQuote(text)}: invalid syntax`);
  return Number(text);
}

/**
 * Milliseconds of a span as Go's `time.ParseDuration` reads it: `1m30s`.
 * @throws {Fault} `invalid-argument`
 */
export function parseLogDuration(text: string): number {
  const read = parseDuration(text);
  if ("problem" in read) throw refused(read.problem);
  return read.ns / 1e6;
}

/** The parts of `scheme://host:port/path`; `undefined` when it is none. A host in brackets is an IPv6 address. */
export function parseLogAddress(text: string): LogAddress | undefined {
  const [, scheme, authority = "", path = ""] = /^([a-z][a-z0-9+.-]*):\/\/([^/]*)(\/.*)?$/i.exec(text) ?? [];
  if (scheme === undefined) return undefined;
  const [, bracketed, plain = "", port] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d*))?$/.exec(authority) ?? [];
  const host = bracketed ?? plain;
  const isWhole = authority === "" || host !== "" || port !== undefined;
  if (!isWhole || Number(port ?? 0) > 65_535) return undefined;
  return {
    scheme: scheme.toLowerCase(),
    host,
    ...(port !== undefined && port !== "" && { port: Number(port) }),
    path,
  };
}

export interface LogAddress {
  readonly scheme: string;
  readonly host: string;
  readonly port?: number;
  readonly path: string;
}
