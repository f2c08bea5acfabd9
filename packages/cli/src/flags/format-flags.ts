import type { Flag, FlagTable } from "./flag.ts";

/**
 * The options of a table, one a line, sorted by name, texts aligned and wrapped within `width` columns. Ends with a newline.
 */
export function formatFlags(table: FlagTable, width: number): string {
  const rows = Object.entries(table)
    .filter(([, flag]) => flag.hidden !== true)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]) => [flagColumn(name, flag), usageColumn(flag)] as const);
  const indent = Math.max(0, ...rows.map(([left]) => left.length)) + 3;
  return rows.map(([left, usage]) => `${left.padEnd(indent)}${wrap(usage, { indent, width })}\n`).join("");
}

function flagColumn(name: string, flag: Flag<unknown>): string {
  const names = flag.short === undefined ? `      --${name}` : `  -${flag.short}, --${name}`;
  return flag.typeName === "" ? names : `${names} ${flag.typeName}`;
}

function usageColumn(flag: Flag<unknown>): string {
  return flag.shownDefault === undefined ? flag.usage : `${flag.usage} (default ${flag.shownDefault})`;
}

/** Spare columns: a last line may be this much longer than the others. */
const slop = 5;

function wrap(text: string, options: { readonly indent: number; readonly width: number }): string {
  const margin = `\n${" ".repeat(options.indent)}`;
  const columns = options.width - options.indent - slop;
  if (columns + slop < 24) return text.replaceAll("\n", margin);
  const lines: string[] = [];
  let rest = text;
  while (rest.length >= columns + slop) {
    const head = rest.slice(0, columns);
    const space = Math.max(head.lastIndexOf(" "), head.lastIndexOf("\t"), head.lastIndexOf("\n"));
    if (space <= 0) break;
    const newline = head.lastIndexOf("\n");
    const end = newline > 0 && newline < space ? newline : space;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end + 1);
  }
  return [...lines, rest].join("\n").replaceAll("\n", margin);
}
