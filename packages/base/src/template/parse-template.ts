import { goQuote } from "./go-quote.ts";
import { scanTemplate, type Token, type TokenKind } from "./scan-template.ts";
import { templateFaults } from "./template-faults.ts";
import type { Operand, Pipe, TemplateCommand, TemplateNode } from "./template-node.ts";

/** Nested deeper, a template is an attack on the stack. */
const maxDepth = 200;

/**
 * A template of the language of Go's `text/template`, without named templates.
 *
 * @param options.functions names that may be called.
 * @throws {Fault} `invalid-argument` in Go's words
 */
export function parseTemplate(
  source: string,
  options: { readonly name: string; readonly functions: ReadonlySet<string> },
): readonly TemplateNode[] {
  const parser = new TemplateParser(scanTemplate(options.name, source), options);
  return parser.parse();
}

type Ending = "end" | "else" | "eof";

class TemplateParser {
  readonly #tokens: readonly Token[];
  readonly #options: { readonly name: string; readonly functions: ReadonlySet<string> };
  #at = 0;
  #depth = 0;
  #rangeDepth = 0;
  #variables: string[] = ["$"];

  constructor(
    tokens: readonly Token[],
    options: { readonly name: string; readonly functions: ReadonlySet<string> },
  ) {
    this.#tokens = tokens;
    this.#options = options;
  }

  parse(): readonly TemplateNode[] {
    const { nodes, ending } = this.#list();
    if (ending !== "eof") throw this.#wrong(`unexpected {{${ending}}}`);
    return nodes;
  }

  #list(): { readonly nodes: readonly TemplateNode[]; readonly ending: Ending } {
    const nodes: TemplateNode[] = [];
    if (++this.#depth > maxDepth) throw this.#wrong("too deeply nested");
    for (;;) {
      const token = this.#next();
      if (token.kind === "end") {
        this.#depth--;
        return { nodes, ending: "eof" };
      }
      if (token.kind === "text") {
        nodes.push({ kind: "text", text: token.text });
        continue;
      }
      const node = this.#action();
      if (node === "end" || node === "else") {
        this.#depth--;
        return { nodes, ending: node };
      }
      nodes.push(node);
    }
  }

  #action(): TemplateNode | "end" | "else" {
    this.#skipSpace();
    const token = this.#peek();
    if (token.kind === "word") {
      switch (token.text) {
        case "if":
        case "with":
        case "range":
          this.#at++;
          return this.#control(token.text);
        case "end":
          this.#at++;
          this.#close("end");
          return "end";
        case "else":
          this.#at++;
          return "else";
        case "break":
        case "continue":
          this.#at++;
          if (this.#rangeDepth === 0) throw this.#wrong(`{{${token.text}}} outside {{range}}`);
          this.#close(`{{${token.text}}}`);
          return { kind: token.text };
        case "define":
        case "block":
        case "template":
          throw this.#wrong(`unexpected {{${token.text}}} in an output format`);
        default:
      }
    }
    const pipe = this.#pipe("command", "close");
    return { kind: "action", pipe };
  }

  #control(kind: "if" | "with" | "range"): TemplateNode {
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind, "close");
    if (kind === "range") this.#rangeDepth++;
    const body = this.#list();
    if (kind === "range") this.#rangeDepth--;
    let otherwise: readonly TemplateNode[] = [];
    if (body.ending === "else") otherwise = this.#otherwise(kind);
    else if (body.ending === "eof") throw this.#wrong("unexpected EOF");
    this.#variables = this.#variables.slice(0, scope);
    return { kind, pipe, body: body.nodes, otherwise };
  }

  /** After `else`: `}}` and a list up to `end`, or ` if` and another control that shares the `end`. */
  #otherwise(kind: string): readonly TemplateNode[] {
    this.#skipSpace();
    const token = this.#peek();
    if (token.kind === "word" && (token.text === "if" || token.text === "with") && token.text === kind) {
      this.#at++;
      if (++this.#depth > maxDepth) throw this.#wrong("too deeply nested");
      const nested = this.#control(token.text);
      this.#depth--;
      return [nested];
    }
    this.#close("else");
    const { nodes, ending } = this.#list();
    if (ending === "else") throw this.#wrong("expected end; found {{else}}");
    if (ending === "eof") throw this.#wrong("unexpected EOF");
    return nodes;
  }

  #pipe(context: string, until: "close" | "right"): Pipe {
    this.#skipSpace();
    const first = this.#at;
    const { position } = this.#peek();
    const { variables, assigns } = this.#declarations(context);
    const commands: TemplateCommand[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind === until) {
        if (commands.length === 0) throw this.#wrong(`missing value for ${context}`);
        const text = this.#textFrom(first);
        this.#at++;
        return { variables, assigns, commands, position, text };
      }
      if (token.kind === "pipe") {
        if (commands.length === 0) throw this.#wrong(`missing value for ${context}`);
        this.#at++;
        this.#skipSpace();
        const after = this.#peek().kind;
        if (after === until || after === "pipe") throw this.#wrong(`missing value for ${context}`);
        commands.push(this.#command());
        continue;
      }
      if (commands.length > 0) throw this.#unexpected(token, context === "command" ? "operand" : context);
      commands.push(this.#command());
    }
  }

  #declarations(context: string): { readonly variables: readonly string[]; readonly assigns: boolean } {
    const start = this.#at;
    const names: string[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token.kind !== "variable") break;
      this.#at++;
      names.push(token.text);
      this.#skipSpace();
      const after = this.#peek();
      if (after.kind === "comma" && context === "range" && names.length < 2) {
        this.#at++;
        continue;
      }
      if (after.kind === "declare" || after.kind === "assign") {
        this.#at++;
        if (after.kind === "declare") this.#variables.push(...names);
        return { variables: names, assigns: after.kind === "assign" };
      }
      break;
    }
    this.#at = start;
    return { variables: [], assigns: false };
  }

  #command(): TemplateCommand {
    const first = this.#at;
    const { position } = this.#peek();
    const operands: Operand[] = [];
    for (;;) {
      this.#skipSpace();
      const { kind } = this.#peek();
      if (kind === "pipe" || kind === "close" || kind === "right") break;
      operands.push(this.#operand());
      const after = this.#peek().kind;
      if (after !== "space" && after !== "pipe" && after !== "close" && after !== "right") {
        throw this.#unexpected(this.#peek(), "operand");
      }
    }
    if (operands.length === 0) throw this.#wrong("empty command");
    const [head, ...rest] = operands;
    if (head?.kind === "nil") throw this.#wrong("nil is not a command");
    if (head?.kind === "constant" && rest.length > 0) {
      throw this.#wrong(`can't give argument to non-function ${head.text}`);
    }
    return { operands, position, text: this.#textFrom(first) };
  }

  #operand(): Operand {
    const token = this.#next();
    const { position, text } = token;
    switch (token.kind) {
      case "dot":
        return { kind: "dot", position, text: "." };
      case "field": {
        // Go's parser gives a chain the place of its second link
        const place = this.#peek().kind === "field" ? this.#peek().position : position;
        const path = [text, ...this.#fields()];
        return { kind: "field", path, position: place, text: `.${path.join(".")}` };
      }
      case "variable": {
        if (!this.#variables.includes(text)) throw this.#wrong(`undefined variable ${goQuote(text)}`);
        const place = this.#peek().kind === "field" ? this.#peek().position : position;
        const path = this.#fields();
        return { kind: "variable", name: text, path, position: place, text: [text, ...path].join(".") };
      }
      case "string":
        return { kind: "constant", value: unquote(text), position, text };
      case "char":
        return { kind: "constant", value: unquote(text).codePointAt(0) ?? 0, position, text };
      case "number":
        return { kind: "constant", value: this.#number(text), position, text };
      case "word":
        if (text === "true" || text === "false") {
          return { kind: "constant", value: text === "true", position, text };
        }
        if (text === "nil") return { kind: "nil", position, text };
        if (!this.#options.functions.has(text)) throw this.#wrong(`function ${goQuote(text)} not defined`);
        return { kind: "function", name: text, position, text };
      case "left": {
        const first = this.#at;
        if (++this.#depth > maxDepth) throw this.#wrong("too deeply nested");
        const pipe = this.#pipe("parenthesized pipeline", "right");
        this.#depth--;
        const path = this.#fields();
        return { kind: "pipe", pipe, path, position, text: `(${this.#textFrom(first)}` };
      }
      default:
        throw this.#unexpected(token, "command");
    }
  }

  #fields(): readonly string[] {
    const path: string[] = [];
    while (this.#peek().kind === "field") path.push(this.#next().text);
    return path;
  }

  #number(text: string): number | bigint {
    const plain = text.replaceAll("_", "").replace(/^\+/, "");
    if (/^-?\d+$/.test(plain)) {
      const value = BigInt(plain);
      return value >= -maxSafe && value <= maxSafe ? Number(value) : value;
    }
    const value = plain.startsWith("-") ? -Number(plain.slice(1)) : Number(plain);
    if (Number.isNaN(value)) throw this.#wrong(`illegal number syntax: ${goQuote(text)}`);
    return value;
  }

  #close(context: string): void {
    this.#skipSpace();
    const token = this.#next();
    if (token.kind !== "close") throw this.#unexpected(token, context);
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#at++;
    return token;
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#at, this.#tokens.length - 1)] ?? endToken;
  }

  #skipSpace(): void {
    while (this.#peek().kind === "space") this.#at++;
  }

  #textFrom(first: number): string {
    return this.#tokens
      .slice(first, this.#at)
      .map((token) => (token.kind === "field" ? `.${token.text}` : token.text))
      .join("")
      .trim();
  }

  #unexpected(token: Token, context: string): Error {
    if (token.kind === "end") return this.#wrong("unexpected EOF");
    const shown = token.kind === "close" ? '"}}"' : describe(token);
    return this.#wrong(`unexpected ${shown} in ${context}`);
  }

  #wrong(words: string): Error {
    const { line } = (this.#tokens[Math.max(0, this.#at - 1)] ?? endToken).position;
    return templateFaults.TEMPLATE_INVALID(`template: ${this.#options.name}:${line}: ${words}`);
  }
}

const maxSafe = BigInt(Number.MAX_SAFE_INTEGER);
const endToken: Token = { kind: "end", text: "", position: { line: 1, column: 0 } };

function describe(token: Token): string {
  const keywords: readonly TokenKind[] = ["word"];
  if (keywords.includes(token.kind) && /^(if|else|end|range|with|define|template|block)$/.test(token.text)) {
    return `<${token.text}>`;
  }
  return goQuote(token.kind === "field" ? `.${token.text}` : token.text);
}

const escapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

function unquote(text: string): string {
  const inner = text.slice(1, -1);
  if (text.startsWith("`")) return inner;
  return inner.replace(
    /\\(x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{3}|.)/gs,
    (whole, code: string) => {
      const plain = escapes[code];
      if (plain !== undefined) return plain;
      const number = /^[0-7]{3}$/.test(code) ? Number.parseInt(code, 8) : Number.parseInt(code.slice(1), 16);
      return Number.isNaN(number) || number > 0x10ffff ? whole : String.fromCodePoint(number);
    },
  );
}
