/** What one place of a pattern accepts; `undefined`: any number of any characters. */
type Token = ((char: string) => boolean) | undefined;

/**
 * Whether all of `text` fits `glob` by the rules of Go's `path.Match`: `*` and `?` stop at slashes, `[a-z]` and `[^a-z]`
 * are classes, a backslash takes what follows as it is. Time is bounded by the product of the lengths, whatever the glob.
 *
 * @returns `undefined` when the glob is malformed
 */
export function matchesGlob(glob: string, text: string): boolean | undefined {
  const segments = splitSegments(glob);
  if (segments === undefined) return undefined;
  const texts = text.split("/");
  return (
    segments.length === texts.length &&
    segments.every((tokens, index) => matchesTokens(tokens, texts[index] ?? ""))
  );
}

function splitSegments(glob: string): readonly (readonly Token[])[] | undefined {
  const segments: Token[][] = [[]];
  const add = (token: Token) => segments.at(-1)?.push(token);
  for (let at = 0; at < glob.length; at += 1) {
    const char = glob.charAt(at);
    if (char === "/") segments.push([]);
    else if (char === "*") add(undefined);
    else if (char === "?") add(() => true);
    else if (char === "[") {
      const [whole, negated, body] = /^\[(\^?)((?:\\.|[^\]\\])+)\]/s.exec(glob.slice(at)) ?? [];
      if (whole === undefined || body === undefined) return undefined;
      const ranges = [...body.matchAll(/(?:\\(.)|(.))(?:-(?:\\(.)|(.)))?/gs)].map(([, a, b, c, d]) => {
        const low = a ?? b ?? "";
        return { low, high: c ?? d ?? low };
      });
      add((tried) => ranges.some(({ low, high }) => low <= tried && tried <= high) === (negated === ""));
      at += whole.length - 1;
    } else {
      if (char === "\\") at += 1;
      const literal = glob.charAt(at);
      if (literal === "") return undefined;
      add((tried) => tried === literal);
    }
  }
  return segments;
}

/** Only the last star passed is ever widened: an earlier one could not do better. */
function matchesTokens(tokens: readonly Token[], text: string): boolean {
  let token = 0;
  let at = 0;
  let star: { readonly token: number; at: number } | undefined;
  while (at < text.length) {
    const accepts = tokens[token];
    if (token < tokens.length && accepts === undefined) {
      star = { token, at };
      token += 1;
    } else if (accepts?.(text.charAt(at)) === true) {
      token += 1;
      at += 1;
    } else if (star !== undefined) {
      star.at += 1;
      at = star.at;
      token = star.token + 1;
    } else {
      return false;
    }
  }
  return tokens.slice(token).every((rest) => rest === undefined);
}
