/** The front end that a source wants. */
export interface SyntaxLine {
  /** An image. */
  readonly source: string;
  /** All that the line says after `syntax=`. */
  readonly line: string;
  /** Which line of the source it is; absent: it is none of its own. */
  readonly number?: number;
}

const maxLineChars = 4096;

/**
 * The front end that a source names in its first lines, whatever language it is in: `# syntax=image`, `// syntax=image`, or
 * JSON with a `syntax`; a first line `#!program` is passed over (BuildKit's parser.DetectSyntax).
 */
export function detectSyntax(source: string): SyntaxLine | undefined {
  const whole = source.replace(/^\ufeff/, "");
  const text = whole.replace(/^#![^\n]*(?:\n|$)/, "");
  const directive = directiveOf(text, "#") ?? directiveOf(text, "//");
  const found = splitSyntax(directive?.value ?? propertyOf(text) ?? "");
  if (found === undefined || directive === undefined) return found;
  return { ...found, number: directive.number + (text === whole ? 0 : 1) };
}

/** An image, and what else is said to it. */
export function splitSyntax(words: string): SyntaxLine | undefined {
  const line = words.trim();
  const [source = ""] = line.split(" ", 1);
  return source === "" || line.length > maxLineChars ? undefined : { source, line };
}

function directiveOf(
  text: string,
  mark: "#" | "//",
): { readonly value: string; readonly number: number } | undefined {
  let number = 0;
  for (let at = 0; at < text.length; ) {
    number++;
    const end = text.indexOf("\n", at);
    const line = text.slice(at, end < 0 ? text.length : end).trim();
    if (!line.startsWith(mark) || line.length > maxLineChars) return undefined;
    const [, name = "", value = ""] =
      /^\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)$/.exec(line.slice(mark.length)) ?? [];
    if (name === "") return undefined;
    if (name.toLowerCase() === "syntax") return { value, number };
    at = end < 0 ? text.length : end + 1;
  }
  return undefined;
}

function propertyOf(text: string): string | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    const { syntax } = JSON.parse(text) as { readonly syntax?: unknown };
    return typeof syntax === "string" ? syntax : undefined;
  } catch {
    return undefined;
  }
}
