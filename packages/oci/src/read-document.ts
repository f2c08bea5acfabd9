import { ociFaults } from "./oci-faults.ts";

/** Largest manifest or index: what registries accept (distribution-spec, "Pushing Manifests"). */
export const maxManifestBytes = 4 << 20;

/** Largest image config. */
export const maxConfigBytes = 8 << 20;

/**
 * JSON of a foreign hand: UTF-8, an object or a list at the top, no key twice in one object (readers differ in which of
 * the two they believe), not nested beyond 100 levels.
 *
 * @throws {Fault} `invalid-argument`, naming `what`
 */
export function parseForeignJson(
  data: Uint8Array,
  options: { readonly what: string; readonly maxBytes: number },
): unknown {
  const fail = (problem: string) => ociFaults.DOCUMENT_INVALID(options.what, problem);
  if (data.length > options.maxBytes) {
    throw fail(`it has ${data.length} bytes, at most ${options.maxBytes} are allowed`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch (error) {
    throw fail("it is not UTF-8").because(error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fail("it is not JSON").because(error);
  }
  const problem = findStructureProblem(text);
  if (problem !== undefined) throw fail(problem);
  return value;
}

const maxDepth = 100;

/** `text` is JSON: only strings and brackets need to be looked at. */
function findStructureProblem(text: string): string | undefined {
  const keysOfOpen: (Set<string> | undefined)[] = [];
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charAt(at)) {
      case "{":
      case "[":
        keysOfOpen.push(text[at] === "{" ? new Set() : undefined);
        if (keysOfOpen.length > maxDepth) return `it is nested deeper than ${maxDepth} levels`;
        expectKey = text[at] === "{";
        break;
      case "}":
      case "]":
        keysOfOpen.pop();
        expectKey = false;
        break;
      case ",":
        expectKey = keysOfOpen.at(-1) !== undefined;
        break;
      case '"': {
        const start = at++;
        while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
        if (!expectKey) break;
        expectKey = false;
        const key: unknown = JSON.parse(text.slice(start, at + 1));
        const keys = keysOfOpen.at(-1);
        if (keys?.has(String(key))) return `the key "${String(key).slice(0, 100)}" is there twice`;
        keys?.add(String(key));
      }
    }
  }
  return undefined;
}

export interface ReaderOptions {
  /**
   * Fields are found whatever case their names are written in, and of several with one name the last counts: what Go's encoding/json,
   * and so Docker, takes them for. Default: only as they are called.
   */
  readonly foldsNames?: boolean;
}

/**
 * Reads fields of a parsed document with checks: a field of the wrong type is a fault that names it, one that is absent
 * or null is `undefined`.
 */
export class DocumentReader {
  readonly #what: string;
  readonly #options: ReaderOptions;
  readonly #fields: Readonly<Record<string, unknown>>;

  /** @throws {Fault} `invalid-argument` unless `value` is an object */
  constructor(value: unknown, what: string, options: ReaderOptions = {}) {
    if (!isObject(value)) throw ociFaults.DOCUMENT_INVALID(what, "it is not an object");
    this.#what = what;
    this.#options = options;
    this.#fields = options.foldsNames === true ? foldNames(value) : value;
  }

  fail(problem: string): Error {
    return ociFaults.DOCUMENT_INVALID(this.#what, problem);
  }

  /** Of all its fields; folded, where they are. */
  names(): readonly string[] {
    return Object.keys(this.#fields);
  }

  string(key: string): string | undefined {
    return this.#take(key, "text", (value) => typeof value === "string");
  }

  requiredString(key: string): string {
    return this.#required(key, this.string(key));
  }

  integer(key: string): number | undefined {
    return this.#take(key, "a whole number", (value): value is number => Number.isSafeInteger(value));
  }

  requiredInteger(key: string): number {
    return this.#required(key, this.integer(key));
  }

  boolean(key: string): boolean | undefined {
    return this.#take(key, "true or false", (value) => typeof value === "boolean");
  }

  strings(key: string): readonly string[] | undefined {
    return this.#take(
      key,
      "a list of text",
      (value): value is string[] => Array.isArray(value) && value.every((item) => typeof item === "string"),
    );
  }

  /** A command: a list of text, or one text, which is its only word. Docker takes both. */
  words(key: string): readonly string[] | undefined {
    const value = this.#find(key);
    return typeof value === "string" ? [value] : this.strings(key);
  }

  stringMap(key: string): Readonly<Record<string, string>> | undefined {
    return this.#take(
      key,
      "an object of text",
      (value): value is Record<string, string> =>
        isObject(value) && Object.values(value).every((item) => typeof item === "string"),
    );
  }

  /** The keys of an object whose values do not matter (Go's sets). */
  keys(key: string): readonly string[] | undefined {
    const value = this.#take(key, "an object", isObject);
    return value === undefined ? undefined : Object.keys(value);
  }

  object(key: string): DocumentReader | undefined {
    const value = this.#take(key, "an object", isObject);
    return value && new DocumentReader(value, `${this.#what}, ${key}`, this.#options);
  }

  requiredObject(key: string): DocumentReader {
    return this.#required(key, this.object(key));
  }

  objects(key: string): readonly DocumentReader[] | undefined {
    const value = this.#take(key, "a list", (list): list is unknown[] => Array.isArray(list));
    const whatOf = (index: number) => `${this.#what}, ${key}[${index}]`;
    return value?.map((item, index) => new DocumentReader(item, whatOf(index), this.#options));
  }

  requiredObjects(key: string): readonly DocumentReader[] {
    return this.#required(key, this.objects(key));
  }

  #required<T>(key: string, value: T | undefined): T {
    if (value === undefined) throw this.fail(`"${key}" is missing`);
    return value;
  }

  #take<T>(key: string, wanted: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.#find(key);
    if (value === undefined || value === null) return undefined;
    if (!is(value)) throw this.fail(`"${key}" is not ${wanted}`);
    return value;
  }

  #find(key: string): unknown {
    const name = this.#options.foldsNames === true ? foldName(key) : key;
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }
}

function foldNames(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [foldName(name), field]));
}

/** As Go folds: two letters beyond ASCII are one case of `k` and of `s`, each by another of these ways. */
function foldName(name: string): string {
  return name.toUpperCase().toLowerCase();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
