import { invalidAt } from "./faults.ts";
import type { SourceRange } from "./source-range.ts";

/** A text that stands below an instruction. */
export interface Heredoc {
  /** What it is called: where it begins, and the line that ends it. */
  readonly name: string;
  readonly content: string;
  /** As it stands there, with the tabs that `<<-` takes away. */
  readonly raw: string;
  /** Variables in it are expanded: its name was not quoted. */
  readonly expands: boolean;
}

interface HeredocNode {
  readonly name: string;
  readonly text: string;
  readonly isJson: boolean;
  readonly range: SourceRange;
}

interface Opening {
  readonly name: string;
  /** `<<-`: tabs at the beginning of its lines go. */
  readonly chomps: boolean;
  readonly expands: boolean;
}

/** `<<EOF`, `<<-EOF`, `<<"EOF"`, `<<\\EOF`; `undefined` for another word. */
export function parseHeredocWord(word: string): Opening | undefined {
  const [, dash, text = ""] = /^\d*<<(-?)\s*([^<]*)$/.exec(word) ?? [];
  const name = text.replace(quoted, (_, single, double, escaped) => single ?? double ?? escaped);
  const plain = text.replace(quoted, "");
  if (name === "" || /["'\\\s]/.test(plain)) return undefined;
  return { name, chomps: dash === "-", expands: plain === text };
}

const quoted = /'([^']*)'|"([^"]*)"|\\(.)/g;

/**
 * The texts that an instruction of `lines`, or the one in an `ONBUILD`, asks for, which begin at line `at` (counted from 0). Ends of
 * lines in them are what they are in the file.
 *
 * @throws {Fault} `invalid-argument` for a text without end
 */
export function extractHeredocs(
  { inner, ...node }: HeredocNode & { readonly inner?: HeredocNode | undefined },
  lines: readonly string[],
  at: number,
): { readonly heredocs: readonly Heredoc[]; readonly nextLine: number } {
  let next = at;
  const { name, text, isJson, range } = inner ?? node;
  if (isJson || !["RUN", "COPY", "ADD"].includes(name)) return { heredocs: [], nextLine: next };
  const heredocs = openingsOf(text).map(({ name, chomps, expands }): Heredoc => {
    const raw: string[] = [];
    const content: string[] = [];
    for (;;) {
      const line = lines[next];
      if (line === undefined) throw invalidAt({ ...range, lastLine: lines.length }, "unterminated heredoc");
      next++;
      const shown = chomps ? line.replace(/^\t+/, "") : line;
      if (shown.replace(/\r$/, "") === name) break;
      raw.push(`${line}\n`);
      content.push(`${shown}\n`);
    }
    return { name, content: content.join(""), raw: raw.join(""), expands };
  });
  return { heredocs, nextLine: next };
}

/** Words of the instruction that open a text; what is in quotes opens none. */
function openingsOf(text: string): readonly Opening[] {
  if (!text.includes("<<")) return [];
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === "\\" && quote !== "'") {
      word += char + text.charAt(++at);
      continue;
    }
    if (quote === "" && /\s/.test(char)) {
      words.push(word);
      word = "";
      continue;
    }
    if (quote === "" && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = "";
    word += char;
  }
  return [...words, word].flatMap((found) => parseHeredocWord(found) ?? []);
}
