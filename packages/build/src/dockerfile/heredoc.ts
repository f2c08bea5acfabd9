import { dockerfileFaults } from "./faults.ts";

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

interface Opening {
  readonly name: string;
  /** `<<-`: tabs at the beginning of its lines go. */
  readonly chomps: boolean;
  readonly expands: boolean;
}

const opening = /^\d*<<(-?)\s*(["']?)([^\s"'<>]+)\2$/;

/** `<<EOF`, `<<-EOF`, `<<"EOF"`; `undefined` for another word. */
export function parseHeredocWord(word: string): Opening | undefined {
  const [, dash, quote, name] = opening.exec(word) ?? [];
  if (name === undefined) return undefined;
  return { name, chomps: dash === "-", expands: quote === "" };
}

/**
 * The texts that an instruction of `lines` asks for, which begin at line `at` (counted from 0).
 *
 * @throws {Fault} `invalid-argument` for a text without end
 */
export function extractHeredocs(
  node: { readonly name: string; readonly text: string; readonly isJson: boolean },
  lines: readonly string[],
  at: number,
): { readonly heredocs: readonly Heredoc[]; readonly nextLine: number } {
  let next = at;
  if (node.isJson || !["RUN", "COPY", "ADD"].includes(node.name)) return { heredocs: [], nextLine: next };
  const heredocs = openingsOf(node.text).map(({ name, chomps, expands }): Heredoc => {
    const raw: string[] = [];
    const content: string[] = [];
    for (;;) {
      const line = lines[next];
      if (line === undefined) throw dockerfileFaults.DOCKERFILE_INVALID(`unterminated heredoc "${name}"`);
      next++;
      const shown = chomps ? line.replace(/^\t+/, "") : line;
      if (shown === name) break;
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
  for (const char of text) {
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
