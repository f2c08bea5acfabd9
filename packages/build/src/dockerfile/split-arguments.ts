import { goQuote } from "@hawser/base";
import { dockerfileFaults } from "./faults.ts";

type Shape =
  /** The whole rest is one argument; or a JSON list, which is several. */
  | "text-or-json"
  /** Words, separated by blanks; or a JSON list. */
  | "words-or-json"
  | "words"
  | "text"
  | "pairs"
  | "defaults"
  | "health";

const shapes: Readonly<Record<string, Shape>> = {
  ADD: "words-or-json",
  ARG: "defaults",
  CMD: "text-or-json",
  COPY: "words-or-json",
  ENTRYPOINT: "text-or-json",
  ENV: "pairs",
  EXPOSE: "words",
  FROM: "words",
  HEALTHCHECK: "health",
  LABEL: "pairs",
  MAINTAINER: "text",
  RUN: "text-or-json",
  SHELL: "text-or-json",
  STOPSIGNAL: "text",
  USER: "text",
  VOLUME: "words-or-json",
  WORKDIR: "text",
};

export const instructionNames: readonly string[] = [...Object.keys(shapes), "ONBUILD"];

export interface SplitArguments {
  readonly args: readonly string[];
  readonly isJson: boolean;
}

/** What follows an instruction's name and flags, as its grammar has it. @throws {Fault} `invalid-argument` */
export function splitArguments(name: string, rest: string, escape: string): SplitArguments {
  const text = rest.trim();
  switch (shapes[name]) {
    case "text-or-json":
      return jsonList(text) ?? { args: text === "" ? [] : [text], isJson: false };
    case "words-or-json":
      return jsonList(text) ?? { args: blankWords(text), isJson: false };
    case "words":
      return { args: blankWords(text), isJson: false };
    case "pairs":
      return { args: splitPairs(name, text, escape), isJson: false };
    case "defaults":
      return { args: shellWords(text, escape), isJson: false };
    case "health":
      return splitHealth(text);
    default:
      return { args: text === "" ? [] : [text], isJson: false };
  }
}

function blankWords(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** A list of strings. @throws {Fault} `invalid-argument` for a list of anything else */
function jsonList(text: string): SplitArguments | undefined {
  if (!text.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  if (!value.every((item) => typeof item === "string")) {
    throw dockerfileFaults.DOCKERFILE_INVALID(
      "when using JSON array syntax, arrays must be comprised of strings only",
    );
  }
  return { args: value, isJson: true };
}

/** `HEALTHCHECK NONE`, `HEALTHCHECK CMD …`: a word, then a command. */
function splitHealth(text: string): SplitArguments {
  const [, kind = "", rest = ""] = /^(\S*)\s*([^]*)$/.exec(text) ?? [];
  if (kind === "") return { args: [], isJson: false };
  const list = jsonList(rest);
  if (list !== undefined) return { args: [kind, ...list.args], isJson: true };
  return { args: rest === "" ? [kind] : [kind, rest], isJson: false };
}

/**
 * `name value` or `name=value …`: in threes, the third `=` or, of the first form, empty.
 *
 * @throws {Fault} `invalid-argument`
 */
function splitPairs(name: string, text: string, escape: string): readonly string[] {
  if (text === "") return [];
  const words = shellWords(text, escape);
  if (!(words[0] ?? "").includes("=")) {
    const [, key = "", value] = /^(\S+)\s+([^]+)$/.exec(text) ?? [];
    if (value === undefined) {
      throw dockerfileFaults.DOCKERFILE_INVALID(`${name} must have two arguments`);
    }
    return [key, value, ""];
  }
  return words.flatMap((word) => {
    const at = word.indexOf("=");
    if (at < 0) {
      throw dockerfileFaults.DOCKERFILE_INVALID(
        `Syntax error - can't find = in ${goQuote(word)}. Must be of the form: name=value`,
      );
    }
    return [word.slice(0, at), word.slice(at + 1), "="];
  });
}

/** Words with their quotes: blanks in quotes and behind an escape separate nothing. */
function shellWords(text: string, escape: string): readonly string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === escape && quote !== "'") {
      word += char + text.charAt(at + 1);
      at++;
    } else if (quote !== "") {
      if (char === quote) quote = "";
      word += char;
    } else if (/\s/.test(char)) {
      if (word !== "") words.push(word);
      word = "";
    } else {
      if (char === '"' || char === "'") quote = char;
      word += char;
    }
  }
  if (word !== "") words.push(word);
  return words;
}

/** Leading `--name[=value]` words; `--` alone ends them. A quoted value may have blanks; its quotes go. */
export function splitFlags(
  text: string,
  escape: string,
): { readonly flags: readonly string[]; readonly rest: string } {
  const flags: string[] = [];
  let rest = text.trimStart();
  while (rest.startsWith("--")) {
    const { word, end } = flagWord(rest, escape);
    rest = rest.slice(end).trimStart();
    if (word === "--") break;
    flags.push(word);
  }
  return { flags, rest };
}

function flagWord(text: string, escape: string): { readonly word: string; readonly end: number } {
  let word = "";
  let quote = "";
  let at = 0;
  for (; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote === "" && /\s/.test(char)) break;
    if (char === escape && quote !== "'" && at + 1 < text.length) {
      at++;
      word += text.charAt(at);
    } else if (quote !== "" && char === quote) quote = "";
    else if (quote === "" && (char === '"' || char === "'")) quote = char;
    else word += char;
  }
  return { word, end: at };
}
