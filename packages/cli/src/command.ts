import type { FlagTable, FlagValues } from "./flags/flag.ts";
import type { Session } from "./session.ts";

/** How many arguments a command takes. */
export interface ArgumentCount {
  readonly min: number;
  /** Absent: any number. */
  readonly max?: number;
}

/** What a command is called with. */
export interface Invocation<F extends FlagTable = FlagTable> {
  /** As typed, for messages: `hawser run`. */
  readonly name: string;
  readonly flags: FlagValues<F>;
  /** Names of the options that were given. */
  readonly changed: ReadonlySet<string>;
  readonly args: readonly string[];
  readonly session: Session;
}

/** A verb: its grammar and what it does. */
export interface Command {
  /** What help shows after the command's name: `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string;
  /** Other ways to call it, from the program's name on: `cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH`. */
  readonly moreUsages?: readonly string[];
  /** What help says in place of the summary that lists of commands have. */
  readonly description?: string;
  readonly flags: FlagTable;
  readonly arguments: ArgumentCount;
  /** The first argument ends the options: what follows belongs to the container's command. */
  readonly stopAtFirst?: boolean;
  /** The result is the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** All ways to call a command that was typed as `typed`, a line each. */
export function usageOf({ usage, moreUsages = [] }: Command, typed: string): string {
  const calls = [`${typed} ${usage}`.trimEnd(), ...moreUsages];
  return calls.map((call) => `hawser ${call}`).join("\n\t");
}

/** A command whose `run` sees the types of its own options. */
export function defineCommand<F extends FlagTable>(
  command: Omit<Command, "run" | "flags"> & {
    readonly flags: F;
    run(invocation: Invocation<F>): Promise<number>;
  },
): Command {
  return {
    ...command,
    // the flags of an invocation are parsed by this command's own table
    run: (invocation) => command.run(invocation as unknown as Invocation<F>),
  };
}
