/**
 * The fields of one line of comma-separated values (RFC 4180), as `--mount` is written; a field in double quotes may hold commas.
 *
 * @param reader whose columns the words have: of a quote that nothing closes Go's package tells the line's end, `csvvalue`, which
 * BuildKit reads with, where that part of the field begins
 * @returns the fields, or what is wrong in Go's words
 */
export function parseCsvFields(
  text: string,
  reader: "encoding/csv" | "csvvalue" = "encoding/csv",
): { readonly fields: readonly string[] } | { readonly problem: string } {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const read = quotedField(text, at + 1);
      if ("unclosedAt" in read) {
        return problemAt(reader === "csvvalue" ? read.unclosedAt : text.length, inQuotes);
      }
      if ("strayAt" in read) return problemAt(read.strayAt, inQuotes);
      fields.push(read.field);
      at = read.next;
    } else {
      const comma = text.indexOf(",", at);
      const field = text.slice(at, comma < 0 ? undefined : comma);
      const quote = field.indexOf('"');
      if (quote >= 0) return problemAt(at + quote, 'bare " in non-quoted-field');
      fields.push(field);
      at = comma < 0 ? text.length : comma;
    }
    if (at >= text.length) return { fields };
    at++;
  }
}

const inQuotes = 'extraneous or missing " in quoted-field';

function problemAt(at: number, words: string): { readonly problem: string } {
  return { problem: `parse error on line 1, column ${at + 1}: ${words}` };
}

function quotedField(
  text: string,
  start: number,
):
  | { readonly field: string; readonly next: number }
  | { readonly unclosedAt: number }
  | { readonly strayAt: number } {
  let field = "";
  let at = start;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return { unclosedAt: at };
    field += text.slice(at, quote);
    const next = text[quote + 1];
    if (next === undefined || next === ",") return { field, next: quote + 1 };
    if (next !== '"') return { strayAt: quote };
    field += '"';
    at = quote + 2;
  }
}
