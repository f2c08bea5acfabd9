/** Text as Go's `%q` writes it: double quotes, control characters and what is not printable escaped. */
export function goQuote(text: string): string {
  // most text has nothing to escape, and to look at each of its characters costs a list of many lines its most
  return `"${text.replace(/[^ !#-[\]-~]/gu, (char) => quoteChar(char, '"'))}"`;
}

/** One character as Go's `%q` writes it: `'x'`. */
export function goQuoteChar(char: string): string {
  return `'${quoteChar(char, "'")}'`;
}

const named: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

function quoteChar(char: string, quote: string): string {
  if (char === quote) return `\\${quote}`;
  const escape = named[char];
  if (escape !== undefined) return escape;
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char)) return char;
  return code > 0xffff
    ? `\\U${code.toString(16).padStart(8, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}
