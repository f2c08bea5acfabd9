import { type Command, usageOf } from "./command.ts";
import { type CommandEntry, commands, type FoundCommand, groups } from "./command-table.ts";
import { formatFlags } from "./flags/format-flags.ts";
import { globalFlags } from "./global-flags.ts";

/** Columns of a terminal whose size is unknown. */
const defaultWidth = 80;

export interface HelpOptions {
  /** Columns of the terminal. */
  readonly width?: number | undefined;
}

/** `hawser run --help`. */
export function commandHelp(
  options: HelpOptions & { readonly command: Command; readonly found: FoundCommand },
): string {
  const { command, found } = options;
  let text = `Usage:  ${usageOf(command, found.typed)}\n\n${command.description ?? found.entry.summary}\n`;
  const names = aliasesOf(found.entry);
  if (names.length > 1) text += `\nAliases:\n  ${names.map((name) => `hawser ${name}`).join(", ")}\n`;
  const flags = formatFlags(command.flags, width(options));
  if (flags !== "") text += `\nOptions:\n${flags}`;
  return text;
}

/** Every name of a command, as help lists them. */
function aliasesOf(entry: CommandEntry): readonly string[] {
  const [noun = ""] = entry.path.split(" ");
  const names = [entry.path, ...(entry.aliases ?? []).map((alias) => `${noun} ${alias}`)];
  return entry.short === undefined ? names : [...names, entry.short];
}

/** `hawser container --help`. */
export function groupHelp(group: string): string {
  const rows = commands
    .filter(({ path, hidden }) => path.startsWith(`${group} `) && hidden !== true)
    .map(({ path, summary }) => [path.slice(group.length + 1), summary] as const);
  return `Usage:  hawser ${group} COMMAND\n\n${groups[group] ?? ""}\n\nCommands:\n${list(rows)}
Run 'hawser ${group} COMMAND --help' for more information on a command.\n`;
}

/** `hawser --help`. */
export function rootHelp(
  options: HelpOptions & { readonly plugins: readonly (readonly [string, string])[] },
): string {
  const top = commands.filter(
    ({ path, short, hidden }) => hidden !== true && (short !== undefined || !path.includes(" ")),
  );
  const row = (entry: CommandEntry) => [entry.short ?? entry.path, entry.summary] as const;
  const others = top.filter(({ common }) => common !== true).map(row);
  return `Usage:  hawser [OPTIONS] COMMAND

A self-sufficient runtime for containers

Common Commands:
${list(top.filter(({ common }) => common === true).map(row), { sorted: false })}
Management Commands:
${list([...Object.entries(groups), ...options.plugins.map(([name, summary]) => [`${name}*`, summary] as const)])}
Commands:
${list(others)}
Global Options:
${formatFlags(globalFlags, width(options))}
Run 'hawser COMMAND --help' for more information on a command.
`;
}

function list(
  rows: readonly (readonly [string, string])[],
  options: { readonly sorted?: boolean } = {},
): string {
  const sorted = options.sorted === false ? rows : rows.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([name, summary]) => `  ${name.padEnd(11)} ${summary}\n`).join("");
}

function width(options: HelpOptions): number {
  return (options.width ?? defaultWidth) - 1;
}
