import { httpFaults } from "../faults.ts";

/**
 * Gives a value its type, or refuses it; `path` names its place for the message as Go does, from the name of the outermost
 * type on, which may be empty (`UpdateConfig.Memory`, `.HostConfig.Memory`).
 */
export type Decoder<T> = (value: unknown, path: string) => T;

/**
 * How a value of ours travels in Docker's JSON. Decoding has the leniency of Go's `encoding/json`, on which Docker's clients
 * count: keys in any case, unknown keys ignored, `null` as good as absent, the zero value for what is absent; and its
 * strictness: a number in quotes is no number.
 */
export interface Codec<T> {
  /**
   * @param value parsed JSON, `undefined` for an absent key
   * @throws {Fault} `invalid-argument`, in Go's words.
   */
  readonly decode: Decoder<T>;
  /** JSON to be; `undefined` leaves the key out. */
  readonly encode: (value: T) => unknown;
}

const absent = (value: unknown): value is undefined | null => value === undefined || value === null;

/** Refuse `value` as Go's decoder does. `wanted` is the name of the Go type. @throws {Fault} `invalid-argument` */
export function refuse(value: unknown, path: string, wanted: string): never {
  throw httpFaults.JSON_TYPE(describe(value), path, wanted);
}

export function describe(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

const same = <T>(value: T): T => value;

export const string: Codec<string> = {
  decode: (value, path) => {
    if (absent(value)) return "";
    return typeof value === "string" ? value : refuse(value, path, "string");
  },
  encode: same,
};

export const boolean: Codec<boolean> = {
  decode: (value, path) => {
    if (absent(value)) return false;
    return typeof value === "boolean" ? value : refuse(value, path, "bool");
  },
  encode: same,
};

/** Beyond 2^53 a neighbour may come out: no limit that means anything is there. */
export const integer: Codec<number> = {
  decode: (value, path) => {
    if (absent(value)) return 0;
    if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= 2 ** 63) return value;
    if (typeof value === "number") throw httpFaults.JSON_TYPE(`number ${value}`, path, "int64");
    return refuse(value, path, "int64");
  },
  encode: same,
};

/** A value that may be missing: `undefined` here, `null` or no key there. */
export function optional<T>(codec: Codec<T>, whenAbsent?: null): Codec<T | undefined> {
  return {
    decode: (value, path) => (absent(value) ? undefined : codec.decode(value, path)),
    encode: (value) => (value === undefined ? whenAbsent : codec.encode(value)),
  };
}

/** A value whose key is left out when it says nothing: empty text, zero, false, an empty list or map (`omitempty`). */
export function omitEmpty<T>(codec: Codec<T>): Codec<T> {
  return {
    decode: codec.decode,
    encode: (value) => {
      const encoded = codec.encode(value);
      return isEmpty(encoded) ? undefined : encoded;
    },
  };
}

function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return !value;
}

/** A list; `whenEmpty` is what Docker's inspect shows for one with nothing in it. */
export function list<T>(codec: Codec<T>, whenEmpty: null | readonly [] = []): Codec<readonly T[]> {
  return {
    decode: (value, path) => {
      if (absent(value)) return [];
      if (!Array.isArray(value)) return refuse(value, path, "[]string");
      return value.map((item) => codec.decode(item, path));
    },
    encode: (value) => (value.length === 0 ? whenEmpty : value.map((item) => codec.encode(item))),
  };
}

/** A map. Keys are data: `__proto__` is a key like any other. */
export function map<T>(
  codec: Codec<T>,
  whenEmpty: null | Readonly<Record<string, never>> = {},
): Codec<Readonly<Record<string, T>>> {
  return {
    decode: (value, path) => {
      if (absent(value)) return {};
      if (typeof value !== "object" || Array.isArray(value)) return refuse(value, path, "map[string]string");
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, codec.decode(item, `${path}.${key}`)]),
      );
    },
    encode: (value) => {
      const entries = Object.entries(value);
      if (entries.length === 0) return whenEmpty;
      return Object.fromEntries(entries.map(([key, item]) => [key, codec.encode(item)]));
    },
  };
}

/** Go's set, `{"80/tcp":{}}`: a list of names here. */
export function nameSet(whenEmpty: null | undefined): Codec<readonly string[]> {
  return {
    decode: (value, path) => {
      if (absent(value)) return [];
      if (typeof value !== "object" || Array.isArray(value))
        return refuse(value, path, "map[string]struct {}");
      return Object.keys(value);
    },
    encode: (names) => (names.length === 0 ? whenEmpty : Object.fromEntries(names.map((name) => [name, {}]))),
  };
}

/** A command line: a list, or one text, which is the same as a list of one. */
export const commandLine: Codec<readonly string[]> = {
  decode: (value, path) => (typeof value === "string" ? [value] : list(string).decode(value, path)),
  encode: same,
};

/** One field of a record: its name in Docker's JSON, and how its value travels. */
export type Field<T> = readonly [wireName: string, codec: Codec<T>];

type Fields<T> = {
  readonly [Key in keyof T]-?: undefined extends T[Key]
    ? Field<Exclude<T[Key], undefined> | undefined>
    : Field<T[Key]>;
};

/**
 * An object with named fields, written in the order of the table.
 *
 * @param goType its type by Go's name, for refusals
 * @param constants fields of Docker's that mean nothing here: always written so, ignored when read.
 */
export function record<T extends object>(
  fields: Fields<T>,
  constants: Readonly<Record<string, unknown>> = {},
  goType = "struct",
): Codec<T> {
  const table = Object.entries(fields) as (readonly [string, Field<unknown>])[];
  const nameOf = new Map(
    table.flatMap(
      ([, [name]]) =>
        [
          [name, name],
          [name.toLowerCase(), name],
        ] as const,
    ),
  );
  return {
    decode: (value, path) => {
      if (!absent(value) && (typeof value !== "object" || Array.isArray(value))) {
        return refuse(value, path, goType);
      }
      const found = new Map<string, unknown>();
      for (const [key, item] of Object.entries(value ?? {})) {
        const name = nameOf.get(key) ?? nameOf.get(key.toLowerCase());
        if (name !== undefined) found.set(name, item);
      }
      const decoded: [string, unknown][] = [];
      for (const [key, [name, codec]] of table) {
        const item = codec.decode(found.get(name), `${path}.${name}`);
        if (item !== undefined) decoded.push([key, item]);
      }
      return Object.fromEntries(decoded) as T;
    },
    encode: (value) => {
      const encoded: Record<string, unknown> = {};
      for (const [key, [name, codec]] of table) {
        const item = codec.encode((value as Record<string, unknown>)[key]);
        if (item !== undefined) encoded[name] = item;
      }
      return { ...encoded, ...constants };
    },
  };
}

/** A codec whose value is adapted on both ways. */
export function adapt<A, B>(
  codec: Codec<A>,
  decode: (value: A, path: string) => B,
  encode: (value: B) => A,
): Codec<B> {
  return {
    decode: (value, path) => decode(codec.decode(value, path), path),
    encode: (value) => codec.encode(encode(value)),
  };
}
