/** Whether a path has wildcards of `COPY`. */
export function hasWildcard(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * Go's `filepath.Match` as an expression for a whole path: `*` and `?` stop at `/`. `**` is no more than `*`, unless the pattern
 * `isDeep`: then it stands for folders, however many.
 */
export function compilePattern(pattern: string, { isDeep }: { readonly isDeep: boolean }): RegExp {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at);
    if (isDeep && pattern.startsWith("**", at)) {
      at++;
      if (pattern.charAt(at + 1) === "/") {
        at++;
        source += "(?:.*/)?";
      } else source += ".*";
    } else if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "[") {
      const end = pattern.indexOf("]", at + 2);
      if (end < 0) source += "\\[";
      else {
        const body = pattern.slice(at + 1, end).replaceAll("\\", "\\\\");
        source += `[${body.startsWith("^") ? `^${RegExp.escape(body.slice(1)).replaceAll("\\x2d", "-")}` : RegExp.escape(body).replaceAll("\\x2d", "-")}]`;
        at = end;
      }
    } else if (char === "\\" && at + 1 < pattern.length) source += RegExp.escape(pattern.charAt(++at));
    else source += RegExp.escape(char);
  }
  return new RegExp(`^${source}$`, "s");
}
