import { valueError } from "./value-error.ts";

/**
 * The fields of one line of comma-separated values (RFC 4180), as `--mount` and `--network` are written; a field in double
 * quotes may hold commas.
 */
export function parseCsvFields(text: string): readonly string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const [field, next] = quotedField(text, at + 1);
      fields.push(field);
      at = next;
    } else {
      const comma = text.indexOf(",", at);
      const field = text.slice(at, comma < 0 ? undefined : comma);
      const quote = field.indexOf('"');
      if (quote >= 0) {
        throw valueError(`parse error on line 1, column ${at + quote + 1}: bare " in non-quoted-field`);
      }
      fields.push(field);
      at = comma < 0 ? text.length : comma;
    }
    if (at >= text.length) return fields;
    at++;
  }
}

function quotedField(text: string, start: number): readonly [string, number] {
  let field = "";
  let at = start;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) {
      throw valueError(
        `parse error on line 1, column ${text.length + 1}: extraneous or missing " in quoted-field`,
      );
    }
    field += text.slice(at, quote);
    const next = text[quote + 1];
    if (next === undefined || next === ",") return [field, quote + 1];
    if (next !== '"') {
      throw valueError(`parse error on line 1, column ${quote + 1}: extraneous or missing " in quoted-field`);
    }
    field += '"';
    at = quote + 2;
  }
}

/** `key=value` → its two halves; without `=` the second is `undefined`. */
export function splitPair(text: string): readonly [string, string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
