import { apiFaults } from "./faults.ts";

/** What a `filters` parameter asks for: name → wanted values. A name may be there with no value. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * Parse the `filters` parameter of a request: JSON of `{"name":["value"]}`, or of `{"name":{"value":true}}` as clients
 * before API 1.22 and some libraries still send it. Absent and empty text mean no filters.
 *
 * @param known names that this endpoint accepts.
 * @throws {Fault} `invalid-argument` for other JSON and for unknown names.
 */
export function parseFilters(text: string | undefined, known: readonly string[]): Filters {
  if (text === undefined || text === "") return new Map();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw apiFaults.FILTERS_INVALID(`not JSON: ${text.slice(0, 200)}`).because(error);
  }
  if (value === null) return new Map();
  if (typeof value !== "object" || Array.isArray(value)) throw apiFaults.FILTERS_INVALID("not an object");
  const filters = new Map<string, readonly string[]>();
  for (const [name, wanted] of Object.entries(value)) {
    if (!known.includes(name)) throw apiFaults.FILTER_UNKNOWN(name);
    filters.set(name, parseValues(name, wanted));
  }
  return filters;
}

/** The text that `parseFilters` reads; `undefined` for no filters. */
export function formatFilters(filters: Filters): string | undefined {
  if (filters.size === 0) return undefined;
  const value: [string, Record<string, true>][] = [...filters].map(([name, wanted]) => [
    name,
    Object.fromEntries(wanted.map((text) => [text, true as const])),
  ]);
  return JSON.stringify(Object.fromEntries(value));
}

function parseValues(name: string, wanted: unknown): readonly string[] {
  if (wanted === null) return [];
  if (Array.isArray(wanted) && wanted.every((text) => typeof text === "string")) return wanted;
  if (typeof wanted === "object" && !Array.isArray(wanted)) {
    const entries = Object.entries(wanted);
    if (entries.every(([, on]) => typeof on === "boolean")) {
      return entries.map(([text]) => text); // whatever it is set to, as in moby
    }
  }
  throw apiFaults.FILTERS_INVALID(`"${name}" is neither a list nor a set of strings`);
}

/**
 * Docker's rule for label filters: each of `wanted` is `key` or `key=value`, and all of them must hold.
 */
export function matchesLabels(
  labels: Readonly<Record<string, string>>,
  wanted: readonly string[] | undefined,
): boolean {
  return (wanted ?? []).every((text) => {
    const at = text.indexOf("=");
    const key = at < 0 ? text : text.slice(0, at);
    if (!Object.hasOwn(labels, key)) return false;
    return at < 0 || labels[key] === text.slice(at + 1);
  });
}
