import { commands, findCommand, groups } from "../command-table.ts";
import type { Flag, FlagTable } from "../flags/flag.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import { type GlobalFlags, globalFlags, noGlobalFlags } from "../global-flags.ts";
import { listPlugins, pluginFolders } from "../plugins/find-plugins.ts";
import type { Session } from "../session.ts";
import { argumentSources, flagSources } from "./argument-sources.ts";
import { type Source, wordsOf } from "./sources.ts";

/** What a shell is told besides the words, in cobra's bits. */
const directives = { files: 0, nothing: 4, folders: 16 } as const;

interface Candidates {
  readonly words: readonly { readonly word: string; readonly about?: string }[];
  readonly directive: keyof typeof directives;
}

const none: Candidates = { words: [], directive: "nothing" };
const files: Candidates = { words: [], directive: "files" };

/**
 * What the last of the words may become, in the form of cobra's `__complete`, which Docker's shells know: a line for each, with
 * a tab before what it is about, then `:` and a number that says what else there is (0 files, 4 nothing, 16 folders).
 */
export async function complete(
  words: readonly string[],
  openSession: (flags: GlobalFlags) => Session,
): Promise<string> {
  const [current = ""] = words.slice(-1);
  const { words: all, directive } = await find(words.slice(0, -1), current, openSession);
  const start = current.startsWith("-") ? current.replace(/^--?[^=]*=/, "") : current;
  const lines = all
    .filter(({ word }) => word.startsWith(start))
    .map(({ word, about }) => (about === undefined ? word : `${word}\t${about}`));
  return `${[...lines, `:${directives[directive]}`].join("\n")}\n`;
}

async function find(
  before: readonly string[],
  current: string,
  openSession: (flags: GlobalFlags) => Session,
): Promise<Candidates> {
  const global = parseFlags(globalFlags, before, { stopAtFirst: true });
  const session = () => openSession(global.kind === "parsed" ? global.flags : noGlobalFlags());
  if (global.kind === "wrong") return await valueOf(globalFlags, before.at(-1) ?? "", session);
  if (global.kind === "help") return none;
  const { args } = global;
  if (args.length === 0)
    return current.startsWith("-") ? await flag(globalFlags, current, session) : topLevel(session());
  const found = findCommand(args);
  if (found === undefined) {
    const [noun = ""] = args;
    return args.length === 1 && Object.hasOwn(groups, noun) ? verbsOf(noun) : files;
  }
  const { command } = await found.entry.load();
  const { rest } = found;
  const parsed = parseFlags(command.flags, rest, { stopAtFirst: command.stopAtFirst ?? false });
  if (parsed.kind === "help") return none;
  if (parsed.kind === "wrong") return await valueOf(command.flags, rest.at(-1) ?? "", session);
  const areOver = rest.includes("--") || (command.stopAtFirst === true && parsed.args.length > 0);
  if (current.startsWith("-") && !areOver) return await flag(command.flags, current, session);
  const sources = argumentSources[found.entry.path] ?? ["nothing"];
  const given = new Set(parsed.args);
  const { words, directive } = await fromSource(
    sources[Math.min(parsed.args.length, sources.length - 1)] ?? "nothing",
    session,
  );
  return { words: words.filter(({ word }) => !given.has(word)), directive };
}

function topLevel(session: Session): Candidates {
  const own = commands
    .filter(({ path, short, hidden }) => hidden !== true && (short !== undefined || !path.includes(" ")))
    .map(({ path, short, summary }) => ({ word: short ?? path, about: summary }));
  const nouns = Object.entries(groups).map(([word, about]) => ({ word, about }));
  const plugins = [...listPlugins(pluginFolders(session)).keys()].map((word) => ({ word }));
  return { words: sorted([...own, ...nouns, ...plugins]), directive: "nothing" };
}

function verbsOf(noun: string): Candidates {
  const verbs = commands
    .filter(({ path, hidden }) => hidden !== true && path.startsWith(`${noun} `))
    .map(({ path, summary }) => ({ word: path.slice(noun.length + 1), about: summary }));
  return { words: sorted(verbs), directive: "nothing" };
}

function sorted(words: Candidates["words"]): Candidates["words"] {
  return words.toSorted((a, b) => (a.word < b.word ? -1 : 1));
}

/** A word that begins with a dash: an option, or the value of one. */
async function flag(table: FlagTable, current: string, session: () => Session): Promise<Candidates> {
  const [, name] = /^--([^=]+)=/.exec(current) ?? [];
  if (name !== undefined) return await fromSource(flagSources[name] ?? "files", session);
  const visible = Object.entries(table).filter(
    ([, { hidden, deprecated }]) => !hidden && deprecated === undefined,
  );
  const words = visible.flatMap(([long, { short, usage }]) => [
    { word: `--${long}`, about: usage },
    ...(short === undefined ? [] : [{ word: `-${short}`, about: usage }]),
  ]);
  return { words: sorted(words), directive: "nothing" };
}

/** The word before is an option that waits for its value; anything else that is wrong with the line is the user's to see. */
async function valueOf(table: FlagTable, option: string, session: () => Session): Promise<Candidates> {
  const wants = ([name, { short, withoutValue }]: readonly [string, Flag<unknown>]) =>
    withoutValue === undefined &&
    (option === `--${name}` || (short !== undefined && /^-[^-]/.test(option) && option.endsWith(short)));
  const [name] = Object.entries(table).find(wants) ?? [];
  return name === undefined ? files : await fromSource(flagSources[name] ?? "files", session);
}

async function fromSource(source: Source, session: () => Session): Promise<Candidates> {
  if (source === "files" || source === "folders" || source === "nothing")
    return { words: [], directive: source };
  const words = await wordsOf(source, session());
  return { words: words.map((word) => ({ word })), directive: "nothing" };
}
