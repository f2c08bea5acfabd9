import { Fault } from "@hawser/base";
import { configFaults } from "./faults.ts";
import { allSettings, flagOf, type Settings } from "./settings.ts";

type Entry = (typeof allSettings)[number];

/**
 * The settings of a command line, in dockerd's grammar: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`,
 * switches without a value; lists by repetition.
 *
 * @throws {Fault} `invalid-argument`, in dockerd's words
 */
export function readFlags(argv: readonly string[], program: string): Settings {
  const words = [...argv];
  const given = new Map<Entry, string[]>();
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (!word.startsWith("-") || word === "-" || word === "--")
      throw configFaults.ARGUMENT_UNEXPECTED(program);
    for (const { entry, value, shown } of split(word)) {
      const own = value ?? (entry[1].kind.isSwitch === true ? "true" : words.shift());
      if (own === undefined) throw configFaults.FLAG_VALUE_MISSING(shown);
      given.set(entry, [...(given.get(entry) ?? []), own]);
    }
  }
  return Object.fromEntries([...given].map(([entry, texts]) => [entry[0], valueOf(entry, texts)]));
}

interface Piece {
  readonly entry: Entry;
  readonly value: string | undefined;
  /** The flag as it was written. */
  readonly shown: string;
}

/** A word of the command line: one long flag, or short ones, of which the last may have a value. */
function split(word: string): Piece[] {
  if (word.startsWith("--")) {
    const [name = "", value] = word.slice(2).split(/=(.*)/s);
    const entry = flags.find((candidate) => flagOf(candidate) === name);
    if (entry === undefined) throw configFaults.FLAG_UNKNOWN(`--${name}`);
    return [{ entry, value, shown: `--${name}` }];
  }
  const pieces: Piece[] = [];
  for (let rest = word.slice(1); rest !== ""; rest = rest.slice(1)) {
    const [letter = ""] = rest;
    const entry = flags.find(([, { short }]) => short === letter);
    if (entry === undefined) throw configFaults.FLAG_UNKNOWN_SHORT(letter, word);
    const shown = `'${letter}' in ${word}`;
    const [, value] = /^.=(.*)$/s.exec(rest) ?? [];
    if (value === undefined && (entry[1].kind.isSwitch === true || rest.length === 1)) {
      pieces.push({ entry, value: undefined, shown });
      continue;
    }
    pieces.push({ entry, value: value ?? rest.slice(1), shown });
    break;
  }
  return pieces;
}

const flags = allSettings.filter(([, { only }]) => only !== "file");

function valueOf(entry: Entry, texts: readonly string[]): unknown {
  const [, { kind, short }] = entry;
  try {
    return kind.fromFlags(texts);
  } catch (error) {
    const shown = short === undefined ? `--${flagOf(entry)}` : `-${short}, --${flagOf(entry)}`;
    throw configFaults.FLAG_VALUE(shown, texts.join(" "), Fault.from(error).message);
  }
}
