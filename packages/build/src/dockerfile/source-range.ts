/** Lines of a Dockerfile, the first one being 1, both ends included. */
export interface SourceRange {
  readonly firstLine: number;
  readonly lastLine: number;
}

/**
 * Lines of a Dockerfile as an error shows them: numbered, the ones meant marked, with some before and after (BuildKit's
 * `errdefs.Source.Print`).
 */
export function formatSourceLines(
  source: string,
  options: { readonly name: string; readonly range: SourceRange },
): string {
  const { name, range } = options;
  const lines = source.split(/\r?\n/);
  const { first, last } = around(range, lines.length);
  const shown = lines.slice(first - 1, last).map((line, at) => {
    const number = first + at;
    const isMeant = number >= range.firstLine && number <= range.lastLine;
    const text = line.length > maxShownChars ? `${line.slice(0, maxShownChars)}…` : line;
    return ` ${String(number).padStart(3)} | ${isMeant ? ">>>" : "   "} ${text}`.trimEnd();
  });
  const rule = "--------------------";
  return [`${name}:${range.firstLine}`, rule, ...shown, rule].join("\n");
}

/** BuildKit takes no longer line; we do, and do not send all of it back. */
const maxShownChars = 64 << 10;

/** Two lines before and after one line, one before and after several; at an end of the file more on the other side. */
function around(
  { firstLine, lastLine }: SourceRange,
  count: number,
): { readonly first: number; readonly last: number } {
  let [first, last] = [firstLine, Math.min(lastLine, count)];
  const wanted = first === last ? 4 : 2;
  for (let added = 0; added < wanted; added++) {
    if (first > 1) {
      first--;
      added++;
    }
    if (last !== count) {
      last++;
      added++;
    }
  }
  return { first, last };
}
