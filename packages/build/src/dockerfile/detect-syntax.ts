/** The front end that a source wants. */
export interface SyntaxLine {
  /** An image. */
  readonly source: string;
  /** All that the line says after `syntax=`. */
  readonly line: string;
}

const maxLineChars = 4096;

/**
 * The front end that a source names in its first lines, whatever language it is in: `# syntax=image`, `// syntax=image`, or
 * JSON with a `syntax`; a first line `#!program` is passed over (BuildKit's parser.DetectSyntax).
 */
export function detectSyntax(source: string): SyntaxLine | undefined {
  const text = source.replace(/^\ufeff/, "").replace(/^#![^\n]*(?:\n|$)/, "");
  return splitSyntax(directiveOf(text, "#") ?? directiveOf(text, "//") ?? propertyOf(text) ?? "");
}

/** An image, and what else is said to it. */
export function splitSyntax(words: string): SyntaxLine | undefined {
  const line = words.trim();
  const [source = ""] = line.split(" ", 1);
  return source === "" || line.length > maxLineChars ? undefined : { source, line };
}

function directiveOf(text: string, mark: "#" | "//"): string | undefined {
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    const line = text.slice(at, end < 0 ? text.length : end).trim();
    if (!line.startsWith(mark) || line.length > maxLineChars) return undefined;
    const [, name = "", value = ""] =
      /^\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)$/.exec(line.slice(mark.length)) ?? [];
    if (name === "") return undefined;
    if (name.toLowerCase() === "syntax") return value;
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
