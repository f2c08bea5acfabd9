/** Which paths of a tree a list of patterns leaves out. */
export interface IgnorePatterns {
  /** @param path relative, with `/`, without `/` at its ends */
  ignores(path: string): boolean;
  /** Whether a folder that is left out may have something in it that is not. */
  mayKeepBelow(folder: string): boolean;
}

interface Pattern {
  /** The folder, with `/` behind it, that all that fits is in; without wildcards: that fits. */
  readonly prefix: string;
  readonly hasWildcards: boolean;
  readonly keeps: boolean;
  readonly expression: RegExp;
}

/**
 * The patterns of a `.dockerignore`: one a line, `#` begins a comment, `!` takes back, the last one that fits decides. What is
 * below something that fits, fits.
 */
export function parseIgnoreFile(text: string): readonly string[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  return lines.flatMap((line) =>
    line.startsWith("#") || line.trim() === "" ? [] : [plainPattern(line.trim())],
  );
}

/** As whoever is sent it wants it, BuildKit's clients: cleaned, and from the context's root without a slash at its beginning. */
function plainPattern(line: string): string {
  const keeps = line.startsWith("!");
  const text = keeps ? line.slice(1).trim() : line;
  const plain = cleanPattern(text);
  return `${keeps ? "!" : ""}${plain === "" && text !== "" ? "." : plain}`;
}

/** @throws {SyntaxError} for a pattern that is none */
export function compileIgnorePatterns(texts: readonly string[]): IgnorePatterns {
  const patterns = texts.flatMap((line) => compile(line.trim()) ?? []);
  return {
    ignores(path) {
      if (patterns.length === 0) return false; // it is asked for each of many files
      const parts = path.split("/");
      const ways = parts.map((_, at) => parts.slice(0, at + 1).join("/"));
      let ignored = false;
      for (const { expression, keeps } of patterns) {
        if (ignored !== keeps) continue; // it could change nothing
        if (ways.some((way) => expression.test(way))) ignored = !keeps;
      }
      return ignored;
    },
    mayKeepBelow: (folder) =>
      patterns.some(
        ({ keeps, prefix, hasWildcards }) =>
          keeps && (prefix.startsWith(`${folder}/`) || (hasWildcards && `${folder}/`.startsWith(prefix))),
      ),
  };
}

function compile(line: string): Pattern | undefined {
  const keeps = line.startsWith("!");
  const text = cleanPattern(keeps ? line.slice(1).trim() : line);
  if (text === "" || text === ".") {
    if (keeps && line === "!") throw new SyntaxError('illegal exclusion pattern: "!"');
    return undefined;
  }
  const wild = text.search(/[*?[\\]/);
  return {
    prefix: wild < 0 ? `${text}/` : text.slice(0, text.lastIndexOf("/", wild) + 1),
    hasWildcards: wild >= 0,
    keeps,
    expression: new RegExp(`^${expressionOf(text)}$`, "s"),
  };
}

/** Go's `filepath.Clean`, without a leading slash. */
function cleanPattern(text: string): string {
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== ".." || !text.startsWith("/")) parts.push(part);
  }
  return parts.join("/");
}

function expressionOf(pattern: string): string {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at);
    if (pattern.startsWith("**", at)) {
      at += pattern.charAt(at + 2) === "/" ? 2 : 1;
      source += at + 1 >= pattern.length ? ".*" : "(.*/)?";
    } else if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "\\" && at + 1 < pattern.length) source += RegExp.escape(pattern.charAt(++at));
    else if (char === "[") {
      const end = pattern.indexOf("]", at + 2);
      if (end < 0) throw new SyntaxError(`syntax error in pattern ${JSON.stringify(pattern)}`);
      source += pattern.slice(at, end + 1);
      at = end;
    } else source += RegExp.escape(char);
  }
  return source;
}
