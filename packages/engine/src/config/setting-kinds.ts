import { isIP } from "node:net";
import { parseByteSize, parseGoBool } from "@hawser/base";
import type { RuntimeProgram } from "../containers/host.ts";
import { boolean, integer, list, map, record, string } from "../http/wire/codec.ts";
import { configFaults } from "./faults.ts";

/** How a setting is written: as a flag, which may come several times, and in the configuration file. */
export interface SettingKind<T> {
  /** The flag may stand alone, and takes a value after `=` only. */
  readonly isSwitch?: boolean;
  /** @throws {Fault} `invalid-argument` that says what is wrong with one of the texts */
  readonly fromFlags: (texts: readonly string[]) => T;
  /** @throws {Fault} `invalid-argument`, in Go's words */
  readonly fromJson: (value: unknown, path: string) => T;
}

const invalid = (why: string) => configFaults.VALUE_INVALID(why);

function check<T>(value: T, refuse: ((value: T) => string | undefined) | undefined): T {
  const why = refuse?.(value);
  if (why !== undefined) throw invalid(why);
  return value;
}

/** A setting of one text; `refuse` tells what is wrong with one. */
export function text(refuse?: (value: string) => string | undefined): SettingKind<string> {
  return {
    fromFlags: (texts) => check(texts.at(-1) ?? "", refuse),
    fromJson: (value, path) => check(string.decode(value, path), refuse),
  };
}

/** On or off: `--x`, `--x=false`; Go's words for both. */
export const toggle: SettingKind<boolean> = {
  isSwitch: true,
  fromFlags: (texts) => parseBoolean(texts.at(-1) ?? "true"),
  fromJson: boolean.decode,
};

export function count(refuse?: (value: number) => string | undefined): SettingKind<number> {
  return {
    fromFlags: (texts) => {
      const [word = ""] = texts.slice(-1);
      if (!/^[+-]?\d{1,15}$/.test(word))
        throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(word)}: invalid syntax`);
      return check(Number(word), refuse);
    },
    fromJson: (value, path) => check(integer.decode(value, path), refuse),
  };
}

/** Bytes: `64m`, `1g`, a number. */
export const size: SettingKind<number> = {
  fromFlags: (texts) => parseSize(texts.at(-1) ?? ""),
  fromJson: (value, path) =>
    typeof value === "number" ? integer.decode(value, path) : parseSize(string.decode(value, path)),
};

export function texts(refuse?: (value: string) => string | undefined): SettingKind<readonly string[]> {
  const all = (values: readonly string[]) => values.map((value) => check(value, refuse));
  return { fromFlags: all, fromJson: (value, path) => all(list(string).decode(value, path)) };
}

/** `key=value` pairs: a map in the file. */
export const pairs: SettingKind<Readonly<Record<string, string>>> = {
  fromFlags: (values) =>
    Object.fromEntries(
      values.map((pair) => {
        const [key = "", value] = pair.split(/=(.*)/s);
        if (key === "" || value === undefined) throw invalid(`bad format for key-value pair: ${pair}`);
        return [key, value];
      }),
    ),
  fromJson: map(string).decode,
};

/** What is switched on or off by its name: `--feature x`, `--feature x=false`. */
export const features: SettingKind<Readonly<Record<string, boolean>>> = {
  fromFlags: (values) =>
    Object.fromEntries(
      values.map((pair) => {
        const [key = "", value] = pair.split(/=(.*)/s);
        if (key === "") throw invalid(`invalid feature: ${pair}`);
        return [key, parseBoolean(value ?? "true")];
      }),
    ),
  fromJson: map(boolean).decode,
};

export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

const ulimitNames: ReadonlySet<string> = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(
    " ",
  ),
);

const ulimitObjects = map(
  record<Ulimit>({ name: ["Name", string], soft: ["Soft", integer], hard: ["Hard", integer] }),
);

/** `--default-ulimit nofile=1024:2048`; in the file `{"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}`. */
export const ulimits: SettingKind<readonly Ulimit[]> = {
  fromFlags: (values) => values.map(parseUlimit),
  fromJson: (value, path) =>
    Object.entries(ulimitObjects.decode(value, path)).map(([key, limit]) =>
      checkUlimit({ ...limit, name: limit.name || key }, key),
    ),
};

const runtimeObject = record<{
  readonly path: string;
  readonly args: readonly string[];
  readonly type: string;
  readonly options: unknown;
}>({
  path: ["path", string],
  args: ["runtimeArgs", list(string)],
  type: ["runtimeType", string],
  options: ["options", { decode: (value: unknown) => value, encode: (value: unknown) => value }],
});

/** `--add-runtime name=/path`; in the file `{"name": {"path": "/path", "runtimeArgs": []}}`. */
export const runtimes: SettingKind<Readonly<Record<string, RuntimeProgram>>> = {
  fromFlags: (values) =>
    Object.fromEntries(
      values.map((pair) => {
        const [name = "", path = ""] = pair.split(/=(.*)/s);
        if (name === "" || path === "") throw invalid(`invalid runtime argument: ${pair}`);
        return [name, programOf(name, { path, args: [] })];
      }),
    ),
  fromJson: (value, path) =>
    Object.fromEntries(
      Object.entries(map(runtimeObject).decode(value, path)).map(([name, runtime]) => {
        if (runtime.path !== "" && runtime.type !== "")
          throw invalid(`runtime ${name}: cannot configure both path and runtimeType for the same runtime`);
        const binary = binaryOf(runtime.options);
        if (runtime.path !== "" || runtime.type === "" || binary === undefined)
          return [name, programOf(name, runtime)];
        return [name, programOf(name, { path: binary, args: runtime.args })];
      }),
    ),
};

/** A shim of containerd that starts an OCI runtime which its options name is as good as that runtime. */
function binaryOf(options: unknown): string | undefined {
  if (typeof options !== "object" || options === null || !("BinaryName" in options)) return undefined;
  return typeof options.BinaryName === "string" ? options.BinaryName : undefined;
}

function programOf(name: string, { path, args }: RuntimeProgram): RuntimeProgram {
  if (!path.startsWith("/"))
    throw invalid(`runtime ${name}: the absolute path of an OCI runtime was wanted, not "${path}"`);
  return { path, args };
}

export interface AddressPool {
  /** `10.0.0.0/8` */
  readonly base: string;
  /** Length of the prefix of each network from it. */
  readonly size: number;
}

const poolObjects = list(record<AddressPool>({ base: ["base", string], size: ["size", integer] }));

/** `--default-address-pool base=10.0.0.0/8,size=24` */
export const addressPools: SettingKind<readonly AddressPool[]> = {
  fromFlags: (values) =>
    values.map((value) => {
      const parts = pairs.fromFlags(value.split(","));
      const strange = Object.keys(parts).find((key) => key !== "base" && key !== "size");
      if (strange !== undefined) throw invalid(`unexpected key '${strange}' in '${value}'`);
      return checkPool({ base: parts["base"] ?? "", size: Number(parts["size"]) });
    }),
  fromJson: (value, path) => poolObjects.decode(value, path).map(checkPool),
};

/** A part of the file that has keys of its own; they are decoded where they are used. */
export const object: SettingKind<Readonly<Record<string, unknown>>> = {
  fromFlags: () => ({}),
  fromJson: map<unknown>({ decode: (value) => value, encode: (value) => value }).decode,
};

function checkPool(pool: AddressPool): AddressPool {
  const [address = "", length = ""] = pool.base.split("/");
  const family = isIP(address);
  if (family === 0 || !/^\d{1,3}$/.test(length)) throw invalid(`invalid CIDR address: ${pool.base}`);
  const widest = family === 4 ? 30 : 126;
  if (!Number.isInteger(pool.size) || pool.size < Number(length) || pool.size > widest)
    throw invalid(`invalid pool size: ${pool.size} (${length} to ${widest} was wanted for ${pool.base})`);
  return pool;
}

function parseUlimit(word: string): Ulimit {
  const [name = "", limits] = word.split(/=(.*)/s);
  const [soft = "", hard = soft, ...rest] = limits?.split(":") ?? [];
  if (limits === undefined || rest.length > 0 || !isLimit(soft) || !isLimit(hard))
    throw invalid(`invalid ulimit argument: ${word}`);
  return checkUlimit({ name, soft: Number(soft), hard: Number(hard) }, word);
}

function checkUlimit(limit: Ulimit, word: string): Ulimit {
  if (!ulimitNames.has(limit.name)) throw invalid(`invalid ulimit type: ${limit.name}`);
  if (limit.hard !== -1 && (limit.soft > limit.hard || limit.soft === -1))
    throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${word}`);
  return limit;
}

function isLimit(word: string): boolean {
  return /^(-1|\d{1,15})$/.test(word);
}

function parseBoolean(word: string): boolean {
  const parsed = parseGoBool(word);
  if (parsed === undefined)
    throw invalid(`strconv.ParseBool: parsing ${JSON.stringify(word)}: invalid syntax`);
  return parsed;
}

function parseSize(word: string): number {
  const bytes = parseByteSize(word);
  if (bytes === undefined) throw invalid(`invalid size: '${word}'`);
  return bytes;
}
