/**
 * Values that templates work on: text, whole and other numbers, booleans, `null` (nil), `undefined` (no value), lists, and the
 * two below. Records of the engine's JSON become `GoStruct`s, its free-form objects `GoMap`s (`goValueFromJson`).
 */
export type GoValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | readonly GoValue[]
  | GoMap
  | GoStruct
  | GoFunction;

/** A method of a record: `{{.Label "name"}}`. */
export type GoFunction = (...args: readonly GoValue[]) => GoValue;

/** A map with text keys; missing keys have no value. */
export class GoMap {
  readonly entries: ReadonlyMap<string, GoValue>;

  constructor(entries: ReadonlyMap<string, GoValue>) {
    this.entries = entries;
  }

  /** Go goes through maps in the order of their keys. */
  get sorted(): readonly (readonly [string, GoValue])[] {
    return [...this.entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }
}

/** A record with a fixed set of fields; asking for another one is an error. */
export class GoStruct {
  readonly #find: (name: string) => GoValue;
  readonly #options: GoStructOptions;

  /** @param find a field's value; `noField` for what is not a field. */
  constructor(find: (name: string) => GoValue | typeof noField, options: GoStructOptions) {
    this.#options = options;
    this.#find = (name) => {
      const value = find(name);
      if (value === noField) throw new NoFieldError(options.describeMissing(name));
      return value;
    };
  }

  /** @throws {NoFieldError} */
  get(name: string): GoValue {
    return this.#find(name);
  }

  /** As `{{json .}}` writes it. */
  toJsonText(): string {
    return this.#options.json();
  }

  /** Field values in order, as `{{.}}` prints them. */
  values(): readonly GoValue[] {
    return this.#options.values();
  }
}

export interface GoStructOptions {
  readonly json: () => string;
  readonly values: () => readonly GoValue[];
  /** What is wrong with asking for `name`. */
  readonly describeMissing: (name: string) => string;
}

export const noField: unique symbol = Symbol("no such field");

/** A field that a record does not have; whoever runs the template adds where. */
export class NoFieldError extends Error {}

/** Which fields of the engine's JSON are maps, and which are pointers; the other `null`s are empty lists. */
const mapFields: ReadonlySet<string> = new Set([
  "Annotations",
  "Attributes",
  "Config:map",
  "Data",
  "Details",
  "DriverOpts",
  "ExposedPorts",
  "IndexConfigs",
  "Labels",
  "Networks",
  "Options",
  "PortBindings",
  "Ports",
  "Runtimes",
  "StorageOpt",
  "Sysctls",
  "Tmpfs",
  "Volumes",
]);

const pointerFields: ReadonlySet<string> = new Set([
  "ConsoleSize",
  "Descriptor",
  "Health",
  "Healthcheck",
  "IPAMConfig",
  "ImageManifestDescriptor",
  "Init",
  "MemorySwappiness",
  "OomKillDisable",
  "PidsLimit",
  "StopTimeout",
]);

/**
 * The engine's JSON as template values. Fields are found under their names in JSON and, since those of Go's types differ in
 * case (`Id`, `ID`), in any case.
 *
 * @param options.typeName what messages call the type of the whole; absent: it is called a map, as by `inspect`.
 */
export function goValueFromJson(json: unknown, options: { readonly typeName?: string } = {}): GoValue {
  return convert(json, [], options.typeName);
}

function convert(json: unknown, path: readonly string[], typeName?: string): GoValue {
  if (json === null) return nullValue(path);
  if (Array.isArray(json)) return json.map((item: unknown) => convert(item, [...path, "[]"]));
  if (typeof json !== "object") return scalar(json);
  const entries = new Map<string, GoValue>();
  for (const [name, value] of Object.entries(json)) entries.set(name, convert(value, [...path, name]));
  if (isMap(path)) return new GoMap(entries);
  return new GoStruct(
    (name) => {
      if (entries.has(name)) return entries.get(name);
      const wanted = name.toLowerCase();
      const key = [...entries.keys()].find((known) => known.toLowerCase() === wanted);
      return key === undefined ? noField : entries.get(key);
    },
    {
      json: () => JSON.stringify(json, bigintsAsNumbers),
      values: () => [...entries.values()],
      describeMissing: (name) =>
        typeName === undefined
          ? `map has no entry for key "${name}"`
          : `can't evaluate field ${name} in type ${typeName}`,
    },
  );
}

function isMap(path: readonly string[]): boolean {
  const name = path.at(-1) ?? "";
  return mapFields.has(name) || (name === "Config" && path.at(-2) === "LogConfig");
}

function nullValue(path: readonly string[]): GoValue {
  if (pointerFields.has(path.at(-1) ?? "")) return null;
  return isMap(path) ? new GoMap(new Map()) : [];
}

function scalar(value: unknown): GoValue {
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
    case "boolean":
      return value;
    default:
      return undefined;
  }
}

/** For `JSON.stringify`: whole numbers beyond 2^53 as they are. */
export function bigintsAsNumbers(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? rawJson(value.toString()) : value;
}

/** The type library does not know it yet (ECMAScript proposal "JSON.parse source text access"). */
const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/** `JSON.parse` that keeps whole numbers beyond 2^53, as `bigint`. */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text, function (_key: string, value: unknown, context: { readonly source?: string }) {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    return context.source !== undefined && /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
  } as (key: string, value: unknown) => unknown);
}
