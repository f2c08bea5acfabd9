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
