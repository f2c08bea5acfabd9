/** JSON text with the characters of HTML escaped, as Go's encoder writes it by default. */
export function escapeHtmlJson(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * JSON text indented by 4 spaces, every value as it was written: long numbers keep their digits. `prefix` begins every
 * line but the first. Text that is not JSON comes out in some shape.
 */
export function indentJson(text: string, prefix = ""): string {
  let out = "";
  let depth = 0;
  const newLine = () => `\n${prefix}${"    ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs)) {
    switch (token) {
      case "{":
      case "[":
        depth++;
        out += token + newLine();
        break;
      case "}":
      case "]":
        depth = Math.max(0, depth - 1);
        // nothing inside: on one line
        if (/[{[]\s*$/.test(out.slice(-4 * depth - prefix.length - 8))) out = out.trimEnd() + token;
        else out += newLine() + token;
        break;
      case ",":
        out += `,${newLine()}`;
        break;
      case ":":
        out += ": ";
        break;
      default:
        out += token;
    }
  }
  return out;
}
