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
    const result = this.#until("");
    if (this.#inWord) this.#words.push(this.#word);
    return { result, words: this.#words };
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
    if (end !== "")
      throw dockerfileFaults.WORD_INVALID(
        `unexpected end of statement while looking for matching ${end === "}" ? "}" : "quote"}`,
      );
    return result;
  }

  #singleQuoted(): string {
    this.#at++;
    const close = this.#text.indexOf("'", this.#at);
    if (close < 0) throw unclosed("single-quote");
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
    if (this.#peek() === "}") throw bad("bad substitution");
    const name = this.#name();
    if (name === "") throw bad("bad substitution");
    const value = this.#lookup(name);
    const char = this.#take();
    switch (char) {
      case "}":
        return value ?? "";
      case ":":
        return this.#choice(name, { value, operator: this.#take(), emptyIsUnset: true });
      case "+":
      case "-":
      case "?":
        return this.#choice(name, { value, operator: char, emptyIsUnset: false });
      case "#":
      case "%":
        return this.#trim(value ?? "", char);
      case "/":
        return this.#replace(value ?? "");
      default:
        throw bad("unsupported modifier in substitution");
    }
  }

  #choice(
    name: string,
    choice: {
      readonly value: string | undefined;
      readonly operator: string;
      readonly emptyIsUnset: boolean;
    },
  ): string {
    const { value, operator, emptyIsUnset } = choice;
    if (!["+", "-", "?"].includes(operator)) throw bad(`unsupported modifier (${operator}) in substitution`);
    const word = this.#inBraces();
    const isSet = value !== undefined && !(emptyIsUnset && value === "");
    if (operator === "+") return isSet ? word : "";
    if (isSet) return value;
    if (operator === "-") return word;
    throw bad(
      `${name}: ${word === "" ? (emptyIsUnset ? "is not allowed to be empty" : "is not allowed to be unset") : word}`,
    );
  }

  /** `${x#p}`, `${x##p}`, `${x%p}`, `${x%%p}`: the shortest or longest match of a pattern goes from one end. */
  #trim(value: string, side: string): string {
    const longest = this.#peek() === side;
    if (longest) this.#at++;
    const pattern = shellPattern(this.#inBraces(), this.#escape);
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
  #replace(value: string): string {
    const all = this.#peek() === "/";
    if (all) this.#at++;
    const pattern = this.#subExpansion("/");
    const replacement = this.#inBraces();
    if (pattern === "") return value;
    return value.replace(
      new RegExp(shellPattern(pattern, this.#escape), all ? "gus" : "us"),
      () => replacement,
    );
  }

  #inBraces(): string {
    return this.#subExpansion("}");
  }

  /** A part of its own: what is in it makes no words here. */
  #subExpansion(end: string): string {
    const words = this.#words.length;
    const [word, inWord] = [this.#word, this.#inWord];
    const result = this.#until(end);
    this.#words.length = words;
    this.#word = word;
    this.#inWord = inWord;
    return result;
  }

  #name(): string {
    const [name = ""] =
      /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])/.exec(
        this.#text.slice(this.#at, this.#at + maxNameChars),
      ) ?? [];
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
function shellPattern(pattern: string, escape: string): string {
  let result = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at);
    if (char === escape && at + 1 < pattern.length) result += RegExp.escape(pattern.charAt(++at));
    else if (char === "*") result += ".*";
    else if (char === "?") result += ".";
    else result += RegExp.escape(char);
  }
  return result;
}

function unclosed(what: string) {
  return bad(`unexpected end of statement while looking for matching ${what}`);
}

function bad(words: string) {
  return dockerfileFaults.WORD_INVALID(words);
}
