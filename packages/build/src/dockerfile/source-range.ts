/** Lines of a Dockerfile, the first one being 1, both ends included. */
export interface SourceRange {
  readonly firstLine: number;
  readonly lastLine: number;
}

/**
 * Lines of a Dockerfile as an error shows them: numbered, with two before and after, the ones meant marked.
 */
export function formatSourceLines(
  source: string,
  options: { readonly name: string; readonly range: SourceRange },
): string {
  const { name, range } = options;
  const lines = source.split(/\r?\n/);
  const first = Math.max(1, range.firstLine - contextLines);
  const last = Math.min(lines.length, range.lastLine + contextLines);
  const shown = lines.slice(first - 1, last).map((line, at) => {
    const number = first + at;
    const isMeant = number >= range.firstLine && number <= range.lastLine;
    const text = line.length > maxShownChars ? `${line.slice(0, maxShownChars)}…` : line;
    return `${String(number).padStart(4)} | ${isMeant ? ">>>" : "   "} ${text}`.trimEnd();
  });
  const rule = "--------------------";
  return [`${name}:${range.firstLine}`, rule, ...shown, rule].join("\n");
}

const contextLines = 2;
const maxShownChars = 300;
