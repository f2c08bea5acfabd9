import { checkInstruction, checkInstructions } from "./check-instructions.ts";
import { dockerfileFaults, invalidAt, refusedAt, withRange } from "./faults.ts";
import { extractHeredocs, type Heredoc } from "./heredoc.ts";
import type { SourceRange } from "./source-range.ts";
import { splitArguments, splitFlags } from "./split-arguments.ts";

/** One instruction as it is written: nothing is expanded, no meaning checked. */
export interface InstructionNode {
  /** Upper case. */
  readonly name: string;
  /** As it was typed. */
  readonly typedName: string;
  /** `--name=value`, in order. */
  readonly flags: readonly string[];
  readonly args: readonly string[];
  /** The arguments were a JSON list. */
  readonly isJson: boolean;
  /** `ONBUILD`: what is to be done later. */
  readonly inner?: InstructionNode;
  readonly heredocs: readonly Heredoc[];
  /** With its continuation lines joined. */
  readonly text: string;
  readonly range: SourceRange;
}

export interface ParsedDockerfile {
  readonly instructions: readonly InstructionNode[];
  /** What continues a line and takes a character as it is: `\` or a backquote. */
  readonly escape: string;
  /** `# syntax=`, `# check=`: directives by their lower-case names. */
  readonly directives: ReadonlyMap<string, string>;
}

const maxBytes = 16 << 20;
const maxInstructions = 100_000;

/**
 * A Dockerfile's text as instructions, each of which is one as far as that can be told without variables.
 * https://docs.docker.com/reference/dockerfile/, "Format".
 *
 * @throws {Fault} `invalid-argument`, with a place
 */
export function parseDockerfile(source: string): ParsedDockerfile {
  const parsed = parseNodes(source);
  checkInstructions(parsed.instructions);
  return parsed;
}

/** The same, of any instructions. */
export function parseNodes(source: string): ParsedDockerfile {
  if (source === "") throw dockerfileFaults.DOCKERFILE_EMPTY();
  if (source.length > maxBytes) throw dockerfileFaults.DOCKERFILE_TOO_LARGE(maxBytes);
  const lines = linesOf(source.replace(/^\uFEFF/, ""));
  const { directives, escape } = readDirectives(lines);
  const instructions: InstructionNode[] = [];
  for (let at = 0; at < lines.length; ) {
    const joined = joinLines(lines, { at, escape });
    if (joined === undefined) {
      at++;
      continue;
    }
    const { next, text } = joined;
    const range = { firstLine: at + 1, lastLine: next };
    try {
      const node = parseInstruction(text, { escape, range });
      const { heredocs, nextLine } = extractHeredocs(node, lines, next);
      if (instructions.length === maxInstructions) throw invalidAt(range, "too many instructions");
      instructions.push({ ...node, heredocs, range: { firstLine: at + 1, lastLine: nextLine } });
      at = nextLine;
    } catch (error) {
      throw withRange(error, range);
    }
  }
  if (instructions.length === 0) {
    throw invalidAt({ firstLine: lines.length, lastLine: lines.length }, "file with no instructions");
  }
  return { instructions, escape, directives };
}

/** What ends with the end of a line is no line more. */
function linesOf(text: string): readonly string[] {
  return text.replace(/\n$/, "").split("\n");
}

/** One instruction that stands alone, with its texts: an `ONBUILD` trigger. @throws {Fault} `invalid-argument`, at `range` */
export function parseTrigger(
  source: string,
  { escape, range }: { readonly escape: string; readonly range: SourceRange },
): InstructionNode {
  const lines = linesOf(source);
  const { text = "", next = 0 } = joinLines(lines, { at: 0, escape }) ?? {};
  try {
    const node = parseInstruction(text, { escape, range });
    const { heredocs, nextLine } = extractHeredocs(node, lines, next);
    if (lines.slice(nextLine).some((line) => line.trim() !== ""))
      throw invalidAt(range, "onbuild trigger should be a single expression");
    const whole = { ...node, heredocs };
    checkInstruction(whole);
    return whole;
  } catch (error) {
    throw refusedAt(range, error);
  }
}

function parseInstruction(
  text: string,
  { escape, range }: { readonly escape: string; readonly range: SourceRange },
): Omit<InstructionNode, "heredocs"> & { readonly heredocs: readonly [] } {
  const [, typedName = "", rest = ""] = /^(\S+)\s*([^]*)$/.exec(text.trim()) ?? [];
  const name = typedName.toUpperCase();
  const { flags, rest: body } = splitFlags(rest, escape);
  const common = { name, typedName, flags, heredocs: [] as const, text: text.trim(), range };
  if (name !== "ONBUILD") return { ...common, ...splitArguments(name, body, escape) };
  if (body === "") return { ...common, args: [], isJson: false };
  return { ...common, args: [body], isJson: false, inner: parseInstruction(body, { escape, range }) };
}

/**
 * Directives are comments `# name=value` before anything else.
 *
 * @throws {Fault} `invalid-argument` for one that comes twice, and for another escape than those two
 */
function readDirectives(lines: readonly string[]): {
  readonly directives: ReadonlyMap<string, string>;
  readonly escape: string;
} {
  const directives = new Map<string, string>();
  for (const [at, line] of lines.entries()) {
    const [, name, value = ""] = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line) ?? [];
    const key = name?.toLowerCase();
    if (key === undefined || !["syntax", "escape", "check"].includes(key)) break;
    const range = { firstLine: at + 1, lastLine: at + 1 };
    if (directives.has(key)) throw invalidAt(range, `only one ${key} parser directive can be used`);
    if (key === "escape" && !["\\", "`"].includes(value)) {
      throw invalidAt(range, `invalid escape token '${value}' does not match \` or \\`);
    }
    directives.set(key, value);
  }
  return { directives, escape: directives.get("escape") ?? "\\" };
}

/** The instruction that begins at a line, or `undefined` for an empty line or a comment. `next`: the line after it. */
function joinLines(
  lines: readonly string[],
  { at, escape }: { readonly at: number; readonly escape: string },
): { readonly text: string; readonly next: number } | undefined {
  const first = lines[at] ?? "";
  if (/^\s*(#|$)/.test(first)) return undefined;
  const parts: string[] = [];
  let next = at;
  let continues = true;
  while (continues && next < lines.length) {
    const raw = (lines[next] ?? "").replace(/\r$/, "");
    next++;
    // Comments and empty lines inside of an instruction are not part of it.
    if (parts.length > 0 && /^\s*(#|$)/.test(raw)) continue;
    const line = parts.length === 0 ? raw.trimStart() : raw;
    const end = continuation(line, escape);
    parts.push(end === undefined ? line : line.slice(0, end));
    continues = end !== undefined;
  }
  return { text: parts.join(""), next };
}

/** Where the escape at a line's end is; two of them are a backslash that ends no line. */
function continuation(line: string, escape: string): number | undefined {
  const trimmed = line.replace(/[ \t]+$/, "");
  if (!trimmed.endsWith(escape) || trimmed.endsWith(escape + escape)) return undefined;
  return trimmed.length - 1;
}
