import { Fault, version as programVersion } from "@hawser/base";
import { type ArgumentCount, type Command, usageOf } from "./command.ts";
import { type FoundCommand, findCommand, groups, isCommandWord } from "./command-table.ts";
import { exitCode } from "./exit-code.ts";
import { cliFaults } from "./faults.ts";
import { parseFlags } from "./flags/parse-flags.ts";
import { type GlobalFlags, globalFlags, noGlobalFlags } from "./global-flags.ts";
import type { PluginCall } from "./plugins/become-plugin.ts";
import type { Output, Session } from "./session.ts";

export interface DispatchOptions {
  readonly argv: readonly string[];
  readonly openSession: (flags: GlobalFlags) => Session;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Replace the process by another program; absent where it is not the command's own. */
  readonly become?: PluginCall["become"];
}

/** From the command line to a command's exit code. Whatever goes wrong is written on standard error. */
export async function dispatch(options: DispatchOptions): Promise<number> {
  try {
    return await runCommand(options);
  } catch (error) {
    const fault = Fault.from(error);
    const defect = fault.code === "INTERNAL" && !(error instanceof Fault);
    options.stderr.write(`${defect ? (fault.stack ?? fault.message) : fault.message}\n`);
    return exitCode(fault);
  }
}

async function runCommand(options: DispatchOptions): Promise<number> {
  const global = parseFlags(globalFlags, options.argv, { stopAtFirst: true });
  if (global.kind === "wrong") {
    throw cliFaults.FLAG_INVALID(
      global.words,
      "hawser [OPTIONS] COMMAND [ARG...]",
      "Run 'hawser --help' for more information",
    );
  }
  if (global.kind === "help" || (global.args.length === 0 && !global.flags.version))
    return await showRootHelp(options);
  if (global.flags.version) {
    options.stdout.write(`Hawser version ${programVersion}\n`);
    return 0;
  }
  const [{ argv, become }, { flags }] = [options, global];
  const name = foreignWord(global.args);
  if (name !== undefined && become !== undefined) {
    const { becomePlugin } = await import("./plugins/become-plugin.ts");
    await becomePlugin({ name, argv, flags, session: options.openSession(flags), become });
  }
  if (global.args[0] === "__complete") return await showCompletion(options);
  if (global.args[0] === "help") return await showHelpOf(global.args.slice(1), options);
  const found = findCommand(global.args);
  if (found === undefined) return await showGroup(global.args, options);
  const { command } = await found.entry.load();
  return await callCommand({ command, found, options, global: global.flags });
}

/** Whether this program knows the command by itself, right or wrong; else it may be that of a plugin. */
export function isOwnCommand(argv: readonly string[]): boolean {
  const global = parseFlags(globalFlags, argv, { stopAtFirst: true });
  return global.kind !== "parsed" || foreignWord(global.args) === undefined;
}

/** The word that names a command, where that is none of ours; a word that is being completed names nothing yet. */
function foreignWord(args: readonly string[]): string | undefined {
  const [first = ""] = args;
  let word = first;
  if (first === "help") word = args[1] ?? "";
  if (first === "__complete") {
    const global = parseFlags(globalFlags, args.slice(1, -1), { stopAtFirst: true });
    word = global.kind === "parsed" ? (global.args[0] ?? "") : "";
  }
  return word === "" || isCommandWord(word) || word === "help" ? undefined : word;
}

async function callCommand(call: {
  readonly command: Command;
  readonly found: FoundCommand;
  readonly options: DispatchOptions;
  readonly global: GlobalFlags;
}): Promise<number> {
  const { command, found, options } = call;
  const name = `hawser ${found.typed}`;
  const parsed = parseFlags(command.flags, found.rest, { stopAtFirst: command.stopAtFirst ?? false });
  const usage = usageOf(command, found.typed);
  if (parsed.kind === "help") {
    const { commandHelp } = await import("./help.ts");
    options.stdout.write(commandHelp({ command, found, width: options.stdout.columns }));
    return 0;
  }
  if (parsed.kind === "wrong") {
    throw cliFaults.FLAG_INVALID(parsed.words, usage, `Run '${name} --help' for more information`);
  }
  const wrong = wrongCount(command.arguments, parsed.args.length);
  if (wrong !== undefined) {
    const verb = wrong.tooFew ? "See" : "Run";
    throw cliFaults.ARGUMENTS_INVALID(
      `hawser: '${name}' ${wrong.words}`,
      usage,
      `${verb} '${name} --help' for more information`,
    );
  }
  for (const given of parsed.changed) {
    const instead = command.flags[given]?.deprecated;
    if (instead !== undefined) options.stderr.write(`Flag --${given} has been deprecated, ${instead}\n`);
  }
  const session = options.openSession(call.global);
  return await command.run({
    name,
    flags: parsed.flags,
    changed: parsed.changed,
    args: parsed.args,
    session,
  });
}

function wrongCount(
  wanted: ArgumentCount,
  given: number,
): { readonly words: string; readonly tooFew: boolean } | undefined {
  const { min, max } = wanted;
  const plural = (count: number) => `${count} argument${count === 1 ? "" : "s"}`;
  if (max === 0 && given > 0) return { words: "accepts no arguments", tooFew: false };
  if (min === max && given !== min) return { words: `requires ${plural(min)}`, tooFew: false };
  if (min === 1 && max === 2 && (given < min || given > max))
    return { words: "requires at least 1 and at most 2 arguments", tooFew: false };
  if (given < min) return { words: `requires at least ${plural(min)}`, tooFew: true };
  if (max !== undefined && given > max) return { words: `requires at most ${plural(max)}`, tooFew: false };
  return undefined;
}

/** For shells: `__complete` comes first, and what is to be completed last, whatever it looks like. */
async function showCompletion({ argv, stdout, openSession }: DispatchOptions): Promise<number> {
  const { complete } = await import("./completion/complete.ts");
  stdout.write(await complete(argv.slice(argv.indexOf("__complete") + 1), openSession));
  return 0;
}

async function showRootHelp(options: DispatchOptions): Promise<number> {
  const [{ rootHelp }, { describePlugins }] = await Promise.all([
    import("./help.ts"),
    import("./plugins/describe-plugins.ts"),
  ]);
  const described = await describePlugins(options.openSession(noGlobalFlags()));
  const plugins = described.flatMap(({ Name, ShortDescription = "", Err }) =>
    Err === undefined ? [[Name, ShortDescription] as const] : [],
  );
  options.stdout.write(rootHelp({ width: options.stdout.columns, plugins }));
  return 0;
}

async function showHelpOf(words: readonly string[], options: DispatchOptions): Promise<number> {
  if (words.length === 0) return await showRootHelp(options);
  const found = findCommand(words);
  if (found === undefined) return await showGroup(words, options);
  const [{ command }, { commandHelp }] = await Promise.all([found.entry.load(), import("./help.ts")]);
  options.stdout.write(commandHelp({ command, found, width: options.stdout.columns }));
  return 0;
}

/** A noun alone shows its verbs; anything else is unknown. */
async function showGroup(words: readonly string[], options: DispatchOptions): Promise<number> {
  const [first = "", ...rest] = words;
  if (!Object.hasOwn(groups, first)) {
    throw cliFaults.COMMAND_UNKNOWN(wordsOnUnknown(first));
  }
  const parsed = parseFlags({}, rest, { stopAtFirst: true });
  if (parsed.kind === "wrong") {
    throw cliFaults.FLAG_INVALID(
      parsed.words,
      `hawser ${first} COMMAND`,
      `Run 'hawser ${first} --help' for more information`,
    );
  }
  const { groupHelp } = await import("./help.ts");
  if (parsed.kind === "parsed" && parsed.args.length > 0) {
    throw cliFaults.COMMAND_UNKNOWN(
      `hawser: unknown command: hawser ${first} ${parsed.args[0] ?? ""}\n\nUsage:  hawser ${first}\n\nRun 'hawser ${first} --help' for more information`,
    );
  }
  // Docker writes the help of a group that was called without a verb to standard error
  (parsed.kind === "help" ? options.stdout : options.stderr).write(groupHelp(first));
  return 0;
}

/** What is said of a command that there is not. */
export function wordsOnUnknown(name: string): string {
  const advice = /^(buildx|compose)$/.test(name)
    ? `\nIt is a plugin of Docker's client: put docker-${name} into ~/.docker/cli-plugins or /usr/local/lib/docker/cli-plugins\n`
    : "";
  return `hawser: unknown command: hawser ${name}\n${advice}\nRun 'hawser --help' for more information`;
}
