import { goQuote, goQuoteChar } from "./go-quote.ts";
import { templateFaults } from "./template-faults.ts";
import type { Position } from "./template-node.ts";

export type TokenKind =
  | "text"
  | "open"
  | "close"
  | "space"
  | "word"
  | "field"
  | "variable"
  | "dot"
  | "number"
  | "string"
  | "char"
  | "pipe"
  | "comma"
  | "declare"
  | "assign"
  | "left"
  | "right"
  | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As written; without the dot of a field. */
  readonly text: string;
  readonly position: Position;
}

const simple: readonly (readonly [RegExp, TokenKind])[] = [
  [/[ \t\r\n]+/y, "space"],
  [/:=/y, "declare"],
  [/=/y, "assign"],
  [/\|/y, "pipe"],
  [/,/y, "comma"],
  [/\(/y, "left"],
  [/\)/y, "right"],
  [
    /[+-]?(?:0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)/y,
    "number",
  ],
  [/\.[\p{L}_][\p{L}\p{Nd}_]*/uy, "field"],
  [/\./y, "dot"],
  [/\$[\p{L}\p{Nd}_]*/uy, "variable"],
  [/[\p{L}_][\p{L}\p{Nd}_]*/uy, "word"],
];

/**
 * The tokens of a template (Go's `text/template`), text between the actions included; the last one is `end`.
 *
 * @throws {Fault} `invalid-argument` in Go's words
 */
export function scanTemplate(name: string, source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  for (;;) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open < 0 ? undefined : open);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, "");
    const trimsBefore = open >= 0 && /^\{\{-[ \t\r\n]/.test(source.slice(open, open + 4));
    if (trimsBefore) text = text.replace(/[ \t\r\n]+$/, "");
    if (text !== "") tokens.push({ kind: "text", text, position: positionAt(source, at) });
    if (open < 0) break;
    const inside = open + (trimsBefore ? 3 : 2);
    const comment = skipComment({ name, source, at: inside });
    if (comment !== undefined) {
      at = comment.next;
      trimNext = comment.trims;
      continue;
    }
    tokens.push({ kind: "open", text: "{{", position: positionAt(source, open) });
    const end = scanAction({ name, source, at: inside, tokens });
    at = end.next;
    trimNext = end.trims;
  }
  tokens.push({ kind: "end", text: "", position: positionAt(source, source.length) });
  return tokens;
}

interface Scan {
  readonly name: string;
  readonly source: string;
  readonly at: number;
}

function skipComment(scan: Scan): { readonly next: number; readonly trims: boolean } | undefined {
  const { name, source, at } = scan;
  const start = at + (/^[ \t\r\n]*/.exec(source.slice(at))?.[0].length ?? 0);
  if (!source.startsWith("/*", start)) return undefined;
  const end = source.indexOf("*/", start);
  if (end < 0) throw syntaxFault(scan, "unclosed comment");
  const close = /^([ \t\r\n]+-)?\}\}/.exec(source.slice(end + 2));
  if (close === null) throw syntaxFault({ name, source, at: end }, "comment ends before closing delimiter");
  return { next: end + 2 + close[0].length, trims: close[1] !== undefined };
}

function scanAction(scan: Scan & { readonly tokens: Token[] }): {
  readonly next: number;
  readonly trims: boolean;
} {
  const { source, tokens } = scan;
  let { at } = scan;
  let depth = 0;
  for (;;) {
    const close = /^(?:[ \t\r\n]+-)?\}\}/.exec(source.slice(at, at + 256));
    if (close !== null) {
      if (depth > 0) throw syntaxFault({ ...scan, at }, "unclosed left paren");
      tokens.push({ kind: "close", text: "}}", position: positionAt(source, at) });
      return { next: at + close[0].length, trims: close[0].includes("-") };
    }
    if (at >= source.length) throw syntaxFault({ ...scan, at }, "unclosed action");
    const token = scanToken({ ...scan, at });
    if (token.kind === "left") depth++;
    else if (token.kind === "right" && --depth < 0)
      throw syntaxFault({ ...scan, at }, "unexpected right paren");
    tokens.push({ kind: token.kind, text: token.text, position: positionAt(source, at) });
    at = token.next;
  }
}

function scanToken(scan: Scan): { readonly kind: TokenKind; readonly text: string; readonly next: number } {
  const { source, at } = scan;
  const char = source[at] ?? "";
  if (char === '"' || char === "'") return scanQuoted(scan, char);
  if (char === "`") {
    const end = source.indexOf("`", at + 1);
    if (end < 0) throw syntaxFault(scan, "unterminated raw quoted string");
    return { kind: "string", text: source.slice(at, end + 1), next: end + 1 };
  }
  for (const [pattern, kind] of simple) {
    pattern.lastIndex = at;
    const found = pattern.exec(source)?.[0];
    if (found === undefined) continue;
    const next = at + found.length;
    if (kind === "number" && /[\p{L}\p{Nd}_]/u.test(source[next] ?? "")) {
      const whole = /^[^\s|,()}]*/.exec(source.slice(at))?.[0] ?? found;
      throw syntaxFault(scan, `bad number syntax: ${goQuote(whole)}`);
    }
    return { kind, text: kind === "field" ? found.slice(1) : found, next };
  }
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16).toUpperCase().padStart(4, "0");
  const whole = String.fromCodePoint(source.codePointAt(at) ?? 0);
  throw syntaxFault(scan, `unrecognized character in action: U+${hex} ${goQuoteChar(whole)}`);
}

function scanQuoted(
  scan: Scan,
  quote: string,
): { readonly kind: TokenKind; readonly text: string; readonly next: number } {
  const { source, at } = scan;
  for (let end = at + 1; end < source.length && source[end] !== "\n"; end++) {
    if (source[end] === "\\") end++;
    else if (source[end] === quote) {
      return { kind: quote === '"' ? "string" : "char", text: source.slice(at, end + 1), next: end + 1 };
    }
  }
  throw syntaxFault(scan, quote === '"' ? "unterminated quoted string" : "unterminated character constant");
}

function positionAt(source: string, at: number): Position {
  const before = source.slice(0, at);
  const lineStart = before.lastIndexOf("\n") + 1;
  return {
    line: before.split("\n").length,
    column: Buffer.byteLength(before.slice(lineStart)),
  };
}

function syntaxFault(scan: Scan, words: string): Error {
  const { line } = positionAt(scan.source, scan.at);
  return templateFaults.TEMPLATE_INVALID(`template: ${scan.name}:${line}: ${words}`);
}
