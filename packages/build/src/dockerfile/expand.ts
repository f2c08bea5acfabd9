import { Fault, goQuote } from "@hawser/base";
import { dockerfileFaults } from "./faults.ts";

/** A variable's value; `undefined`: not set. */
export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  readonly lookup: Lookup;
  readonly escape: string;
}

/**
 * One word with its variables replaced and its quotes gone.
 *
 * @throws {Fault} `invalid-argument` in BuildKit's words
 */
export function expandWord(word: string, options: ExpandOptions): string {
  return new Expansion(word, options).run().result;
}

/** As `expandWord`; blanks that are not quoted, and those of variables, separate words. */
export function expandWords(text: string, options: ExpandOptions): readonly string[] {
  return new Expansion(text, options).run().words;
}

/** Variables replaced, quotes and blanks kept: the text of a heredoc. */
export function expandText(text: string, options: ExpandOptions): string {
  return new Expansion(text, options, { keepQuotes: true }).run().result;
}

class Expansion {
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #escape: string;
  readonly #keepQuotes: boolean;
  /** In a pattern an escape is the pattern's own. */
  #keepsEscapes = false;
  #at = 0;
  readonly #words: string[] = [];
  #word = "";
  #inWord = false;

  constructor(text: string, options: ExpandOptions, { keepQuotes = false } = {}) {
    this.#text = text;
    this.#lookup = options.lookup;
    this.#escape = options.escape;
    this.#keepQuotes = keepQuotes;
  }

  run(): { readonly result: string; readonly words: readonly string[] } {
    try {
      const result = this.#until("");
      if (this.#inWord) this.#words.push(this.#word);
      return { result, words: this.#words };
    } catch (error) {
      if (!Fault.is(error, "invalid-argument")) throw error;
      throw bad(`failed to process ${goQuote(this.#text)}: ${error.message}`).because(error);
    }
  }

  /** Up to a character that is not quoted, which is taken; empty: to the end. */
  #until(end: string): string {
    let result = "";
    const add = (text: string) => {
      result += text;
    };
    while (this.#at < this.#text.length) {
      const char = this.#peek();
      if (char === end) {
        this.#at++;
        return result;
      }
      if (!this.#keepQuotes && char === "'") add(this.#quoted(this.#singleQuoted()));
      else if (!this.#keepQuotes && char === '"') add(this.#quoted(this.#doubleQuoted()));
      else if (char === "$") {
        const value = this.#dollar();
        this.#split(value);
        add(value);
      } else {
        this.#at += char.length;
        if (char === this.#escape) {
          if (this.#keepsEscapes) add(char);
          // At the very end it stands for nothing.
          const next = this.#take();
          if (next === "") break;
          this.#append(next);
          add(next);
        } else {
          if (end === "" && /\s/.test(char)) this.#endWord();
          else this.#append(char);
          add(char);
        }
      }
    }
    if (end !== "") throw unclosed(end);
    return result;
  }

  #singleQuoted(): string {
    this.#at++;
    const close = this.#text.indexOf("'", this.#at);
    if (close < 0) {
      this.#at = this.#text.length;
      throw unclosed("single-quote");
    }
    const value = this.#text.slice(this.#at, close);
    this.#at = close + 1;
    return value;
  }

  #doubleQuoted(): string {
    this.#at++;
    let value = "";
    for (;;) {
      const char = this.#peek();
      if (char === "") throw unclosed("double-quote");
      if (char === '"') {
        this.#at++;
        return value;
      }
      if (char === "$") {
        value += this.#dollar();
        continue;
      }
      this.#at += char.length;
      if (char !== this.#escape) {
        value += char;
        continue;
      }
      if (this.#keepsEscapes) value += char;
      const next = this.#take();
      if (next === "") throw unclosed("double-quote");
      // Only what would mean something is taken as it is.
      value += next === '"' || next === "$" || next === this.#escape ? next : char + next;
    }
  }

  /** At a `$`. */
  #dollar(): string {
    this.#at++;
    if (this.#peek() !== "{") {
      const name = this.#name();
      return name === "" ? "$" : (this.#lookup(name) ?? "");
    }
    this.#at++;
    if (this.#peek() === "") throw bad(missingBrace);
    if (["{", "}", ":"].includes(this.#peek())) throw bad("syntax error: bad substitution");
    const name = this.#name();
    const char = this.#take();
    switch (char) {
      case "}":
        return this.#lookup(name) ?? "";
      case ":": {
        const operator = this.#take();
        if (operator === "#" || operator === "%") throw unsupported(char + operator);
        return this.#choice(name, { operator, emptyIsUnset: true });
      }
      case "+":
      case "-":
      case "?":
        return this.#choice(name, { operator: char, emptyIsUnset: false });
      case "#":
      case "%":
        return this.#trim(name, char);
      case "/":
        return this.#replace(name);
      default:
        throw unsupported(char || "\ufffd"); // the end, as Go writes it
    }
  }

  #choice(
    name: string,
    { operator, emptyIsUnset }: { readonly operator: string; readonly emptyIsUnset: boolean },
  ): string {
    const word = this.#inBraces();
    const value = this.#lookup(name);
    const isSet = value !== undefined && !(emptyIsUnset && value === "");
    switch (operator) {
      case "+":
        return isSet ? word : "";
      case "-":
        return isSet ? value : word;
      case "?": {
        if (isSet) return value;
        const usual = value === undefined ? "is not allowed to be unset" : "is not allowed to be empty";
        throw bad(`${name}: ${word || usual}`);
      }
      default:
        throw unsupported(`:${operator}`);
    }
  }

  /** `${x#p}`, `${x##p}`, `${x%p}`, `${x%%p}`: the shortest or longest match of a pattern goes from one end. */
  #trim(name: string, side: string): string {
    const longest = this.#peek() === side;
    if (longest) this.#at++;
    const word = this.#inBraces({ keepsEscapes: true });
    const value = this.#lookup(name) ?? "";
    const pattern = shellPattern(word);
    const matches = new RegExp(`^(?:${pattern})$`, "us");
    const cuts = [...Array(value.length + 1).keys()];
    const fromStart = side === "#";
    for (const cut of longest === fromStart ? cuts.toReversed() : cuts) {
      const part = fromStart ? value.slice(0, cut) : value.slice(cut);
      if (matches.test(part)) return fromStart ? value.slice(cut) : value.slice(0, cut);
    }
    return value;
  }

  /** `${x/pattern/text}`, `${x//pattern/text}`. */
  #replace(name: string): string {
    const all = this.#peek() === "/";
    if (all) this.#at++;
    const keepsEscapes = true;
    const pattern = this.#part({ end: "/", problem: "syntax error: missing '/' in ${}", keepsEscapes });
    const replacement = this.#inBraces({ keepsEscapes });
    const value = this.#lookup(name) ?? "";
    const matches = new RegExp(shellPattern(pattern), all ? "gus" : "us");
    return pattern === "" ? value : value.replace(matches, () => replacement);
  }

  #inBraces({ keepsEscapes = false } = {}): string {
    return this.#part({ end: "}", problem: missingBrace, keepsEscapes });
  }

  /** A part of its own: what is in it makes no words here. @param part.problem what is wrong where nothing ends it */
  #part(part: { readonly end: string; readonly problem: string; readonly keepsEscapes: boolean }): string {
    const words = this.#words.length;
    const before = { word: this.#word, inWord: this.#inWord, keepsEscapes: this.#keepsEscapes };
    this.#keepsEscapes = part.keepsEscapes;
    try {
      return this.#until(part.end);
    } catch (error) {
      throw this.#peek() === "" ? bad(part.problem).because(error) : error;
    } finally {
      this.#words.length = words;
      this.#word = before.word;
      this.#inWord = before.inWord;
      this.#keepsEscapes = before.keepsEscapes;
    }
  }

  #name(): string {
    const [name = ""] =
      /^(?:\p{Nd}+|[@*#?$!-]|[\p{L}\p{Nd}_]+)/u.exec(this.#text.slice(this.#at, this.#at + maxNameChars)) ??
      [];
    this.#at += name.length;
    return name;
  }

  #peek(): string {
    const code = this.#text.codePointAt(this.#at);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  #take(): string {
    const char = this.#peek();
    this.#at += char.length;
    return char;
  }

  #append(text: string): void {
    this.#word += text;
    this.#inWord = true;
  }

  #quoted(text: string): string {
    this.#append(text);
    return text;
  }

  /** A variable's value outside of quotes. */
  #split(value: string): void {
    for (const part of value.split(/(\s+)/)) {
      if (part === "") continue;
      if (/^\s/.test(part)) this.#endWord();
      else this.#append(part);
    }
  }

  #endWord(): void {
    if (this.#inWord) this.#words.push(this.#word);
    this.#word = "";
    this.#inWord = false;
  }
}

const maxNameChars = 1 << 16;

/** The shell's `*` and `?` as a regular expression. */
function shellPattern(pattern: string): string {
  let result = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at);
    if (char === "\\") {
      const next = pattern.charAt(at + 1);
      // These would end the pattern otherwise.
      if (next === "}" || next === "/") continue;
      if (!["*", "?", "\\"].includes(next))
        throw bad(`invalid pattern (${pattern}) in substitution: invalid escape '\\${next}'`);
      result += RegExp.escape(next);
      at++;
    } else if (char === "*") result += ".*";
    else if (char === "?") result += ".";
    else result += RegExp.escape(char);
  }
  return result;
}

const missingBrace = "syntax error: missing '}'";

function unclosed(what: string) {
  return bad(`unexpected end of statement while looking for matching ${what}`);
}

function unsupported(modifier: string) {
  return bad(`unsupported modifier (${modifier}) in substitution`);
}

function bad(words: string) {
  return dockerfileFaults.WORD_INVALID(words);
}
