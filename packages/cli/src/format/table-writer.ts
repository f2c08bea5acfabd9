const padding = 3;

/**
 * Text whose cells end with tabs, as aligned columns: each cell as wide as the widest of its column, at least
 * `minWidth` (10), 3 spaces between. A column reaches over the neighbouring lines that have it; what follows a line's last tab is in none.
 */
export function alignColumns(text: string, { minWidth = 10 }: { readonly minWidth?: number } = {}): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const widths: number[][] = lines.map(() => []);
  measure(lines, widths, { from: 0, to: lines.length, column: 0, minWidth });
  return lines
    .map((cells, at) =>
      cells
        .map((cell, column) => (column < cells.length - 1 ? padTo(cell, widths[at]?.[column] ?? 0) : cell))
        .join(""),
    )
    .join("\n");
}

function measure(
  lines: readonly (readonly string[])[],
  widths: readonly number[][],
  block: {
    readonly from: number;
    readonly to: number;
    readonly column: number;
    readonly minWidth: number;
  },
): void {
  const { column, minWidth } = block;
  let at = block.from;
  while (at < block.to) {
    const has = (line: number) => line < block.to && column < (lines[line]?.length ?? 0) - 1;
    if (!has(at)) {
      at++;
      continue;
    }
    const start = at;
    let width = minWidth;
    while (has(at)) {
      width = Math.max(width, countCharacters(lines[at]?.[column] ?? "") + padding);
      at++;
    }
    const empty = lines.slice(start, at).every((cells) => cells[column] === "");
    for (let line = start; line < at; line++) widths[line]?.push(empty ? Math.max(minWidth, padding) : width);
    measure(lines, widths, { from: start, to: at, column: column + 1, minWidth });
  }
}

function padTo(cell: string, width: number): string {
  return cell + " ".repeat(Math.max(0, width - countCharacters(cell)));
}

/** Go counts characters, not UTF-16 units; where these are not the same there are surrogates. */
function countCharacters(text: string): number {
  return /[\ud800-\udfff]/.test(text) ? Array.from(text).length : text.length;
}
