import { escapeHtmlJson } from "@hawser/base";

/**
 * JSON as Go's encoding/json writes it, to the byte: what ids are digests of. Values are JSON already; a field of `undefined` is
 * left out (`omitempty`).
 */
export type Field = readonly [name: string, json: string | undefined];

export function formatText(text: string): string {
  return escapeHtmlJson(JSON.stringify(text.toWellFormed()));
}

/** `undefined` for an empty one, too. */
export function filledText(text: string | undefined): string | undefined {
  return text ? formatText(text) : undefined;
}

export function formatList(list: readonly string[] | undefined): string {
  return list === undefined ? "null" : `[${list.map(formatText).join(",")}]`;
}

/** Of a set: an object whose values are empty. */
export function formatSet(keys: readonly string[] | undefined): string {
  return keys === undefined ? "null" : formatObject(inOrder(keys.map((key) => [key, "{}"])));
}

export function formatMap(map: Readonly<Record<string, string>>): string {
  return formatObject(inOrder(Object.entries(map).map(([key, value]) => [key, formatText(value)])));
}

export function formatObject(fields: readonly Field[]): string {
  const written = fields.filter(([, json]) => json !== undefined);
  return `{${written.map(([name, json]) => `${formatText(name)}:${json}`).join(",")}}`;
}

/** As Go writes the keys of maps: by their bytes. */
export function inOrder(fields: Iterable<Field>): readonly Field[] {
  return [...fields].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/**
 * The fields of an object as Go's `json.RawMessage` has them: as they were written, without the space between.
 *
 * @param json an object, known to be right
 */
export function fieldsOf(json: string): Map<string, string> {
  const fields = new Map<string, string>();
  let depth = 0;
  let name: string | undefined;
  let raw: string[] = [];
  const end = () => {
    if (name !== undefined) fields.set(name, raw.join(""));
    name = undefined;
    raw = [];
  };
  for (let at = 0; at < json.length; at++) {
    const start = at;
    const char = json.charAt(at);
    if (/\s/.test(char)) continue;
    if (char === '"') for (at++; json[at] !== '"'; at++) if (json[at] === "\\") at++;
    const token = json.slice(start, at + 1);
    if (char === "}" || char === "]") depth--;
    if (depth > 1) raw.push(escapeHtmlJson(token));
    else if (depth === 1 && char === ",") end();
    else if (depth === 1 && name === undefined) name = char === '"' ? String(JSON.parse(token)) : undefined;
    else if (depth === 1 && char !== ":") raw.push(escapeHtmlJson(token));
    if (char === "{" || char === "[") depth++;
  }
  end();
  return fields;
}
