import { didYouMean } from "./did-you-mean.ts";
import { dockerfileFaults, invalidAt, withRange } from "./faults.ts";
import { extractHeredocs, type Heredoc } from "./heredoc.ts";
import type { SourceRange } from "./source-range.ts";
import { instructionNames, isInstruction, splitArguments, splitFlags } from "./split-arguments.ts";

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
 * A Dockerfile's text as instructions. https://docs.docker.com/reference/dockerfile/, "Format".
 *
 * @throws {Fault} `invalid-argument`, with a place
 */
export function parseDockerfile(source: string): ParsedDockerfile {
  if (source.length > maxBytes) throw dockerfileFaults.DOCKERFILE_TOO_LARGE(maxBytes);
  const lines = source.replace(/^\uFEFF/, "").split("\n");
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
  if (instructions.length === 0) throw dockerfileFaults.DOCKERFILE_EMPTY();
  return { instructions, escape, directives };
}

/** One instruction that stands alone, with its texts: an image's `ONBUILD` trigger. @throws {Fault} `invalid-argument` */
export function parseTrigger(
  source: string,
  { escape, range }: { readonly escape: string; readonly range: SourceRange },
): InstructionNode {
  const lines = source.split("\n");
  const { text = "", next = 0 } = joinLines(lines, { at: 0, escape }) ?? {};
  const node = parseInstruction(text, { escape, range });
  const { heredocs, nextLine } = extractHeredocs(node, lines, next);
  if (lines.slice(nextLine).some((line) => line.trim() !== ""))
    throw invalidAt(range, "onbuild trigger should be a single expression");
  return { ...node, heredocs };
}

function parseInstruction(
  text: string,
  {
    escape,
    range,
    isLater = false,
  }: { readonly escape: string; readonly range: SourceRange; readonly isLater?: boolean },
): Omit<InstructionNode, "heredocs"> & { readonly heredocs: readonly [] } {
  const [, typedName = "", rest = ""] = /^(\S+)\s*([^]*)$/.exec(text.trim()) ?? [];
  const name = typedName.toUpperCase();
  const { flags, rest: body } = splitFlags(rest, escape);
  const common = { name, typedName, flags, heredocs: [] as const, text: text.trim(), range };
  if (name === "ONBUILD") {
    if (body === "") return { ...common, args: [], isJson: false };
    const inner = parseInstruction(body, { escape, range, isLater: true });
    return { ...common, args: [body], isJson: false, inner };
  }
  if (!isInstruction(name)) {
    // Whoever builds on the image may know it.
    if (isLater) return { ...common, args: [], isJson: false };
    const hint = didYouMean(name, instructionNames, "");
    throw invalidAt(range, `unknown instruction: ${typedName}${hint}`);
  }
  return { ...common, ...splitArguments(name, body, escape) };
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
