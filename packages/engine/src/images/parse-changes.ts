import type { ExecutionConfig } from "@hawser/oci";
import { imageFaults } from "./faults.ts";

type Changes = { -readonly [Key in keyof ExecutionConfig]?: ExecutionConfig[Key] };

/**
 * What `docker import --change` may say: one Dockerfile instruction each, of those that only change the configuration.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseChanges(lines: readonly string[]): Partial<ExecutionConfig> {
  const changes: Changes = {};
  for (const line of lines.flatMap((text) => text.split("\n"))) {
    const [, word = "", rest = ""] = /^\s*(\S+)\s*([^]*?)\s*$/.exec(line) ?? [];
    if (word === "" || word.startsWith("#")) continue;
    const apply = instructions[word.toUpperCase()];
    if (apply === undefined) throw imageFaults.CHANGE_UNKNOWN(word.toUpperCase());
    if (rest === "")
      throw imageFaults.CHANGE_INVALID(line, `${word.toUpperCase()} requires at least one argument`);
    apply(changes, rest, line);
  }
  return changes;
}

/** A configuration after `changes`: what they name is replaced, and joined where there may be several. */
export function applyChanges<T extends ExecutionConfig>(config: T, changes: Partial<ExecutionConfig>): T {
  const nameOf = (text: string) => text.split("=", 1)[0];
  const env = new Map([...config.env, ...(changes.env ?? [])].map((text) => [nameOf(text), text]));
  const joined = (own: readonly string[] = [], more: readonly string[] = []) => [
    ...new Set([...own, ...more]),
  ];
  return {
    ...config,
    ...changes,
    env: [...env.values()],
    labels: { ...config.labels, ...changes.labels },
    exposedPorts: joined(config.exposedPorts, changes.exposedPorts),
    volumes: joined(config.volumes, changes.volumes),
    ...(changes.onBuild && { onBuild: [...(config.onBuild ?? []), ...changes.onBuild] }),
  };
}

const instructions: Readonly<Record<string, (changes: Changes, rest: string, line: string) => void>> = {
  CMD: (changes, rest) => {
    changes.cmd = commandOf(rest, changes);
  },
  ENTRYPOINT: (changes, rest) => {
    changes.entrypoint = commandOf(rest, changes);
  },
  ENV: (changes, rest, line) => {
    const env = new Map((changes.env ?? []).map((text) => [text.split("=", 1)[0], text]));
    for (const [name, value] of pairsOf(rest, line)) env.set(name, `${name}=${value}`);
    changes.env = [...env.values()];
  },
  LABEL: (changes, rest, line) => {
    changes.labels = Object.fromEntries([...Object.entries(changes.labels ?? {}), ...pairsOf(rest, line)]);
  },
  EXPOSE: (changes, rest, line) => {
    const ports = wordsOf(rest, line).map((port) => {
      const [, number, protocol = "tcp"] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(port) ?? [];
      if (number === undefined || Number(number) > 65535)
        throw imageFaults.CHANGE_INVALID(line, `invalid port ${port}`);
      return `${Number(number)}/${protocol.toLowerCase()}`;
    });
    changes.exposedPorts = [...new Set([...(changes.exposedPorts ?? []), ...ports])];
  },
  ONBUILD: (changes, rest) => {
    changes.onBuild = [...(changes.onBuild ?? []), rest];
  },
  SHELL: (changes, rest, line) => {
    const shell = jsonListOf(rest);
    if (shell === undefined)
      throw imageFaults.CHANGE_INVALID(line, "SHELL requires the arguments to be in JSON form");
    changes.shell = shell;
  },
  STOPSIGNAL: (changes, rest) => {
    changes.stopSignal = rest;
  },
  USER: (changes, rest) => {
    changes.user = rest;
  },
  VOLUME: (changes, rest, line) => {
    const volumes = jsonListOf(rest) ?? wordsOf(rest, line);
    changes.volumes = [...new Set([...(changes.volumes ?? []), ...volumes])];
  },
  WORKDIR: (changes, rest) => {
    changes.workingDir = rest;
  },
};

/** A JSON list as it is; anything else is for the shell. */
function commandOf(text: string, { shell }: Changes): readonly string[] {
  return jsonListOf(text) ?? [...(shell ?? ["/bin/sh", "-c"]), text];
}

function jsonListOf(text: string): readonly string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `a=b c="d e"`, or the old form, a name and the rest. */
function pairsOf(text: string, line: string): readonly (readonly [string, string])[] {
  const [, name, value] = /^([^\s="']+)\s+([^]+)$/.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [[name, value]];
  return wordsOf(text, line).map((word) => {
    const at = word.indexOf("=");
    if (at <= 0) throw imageFaults.CHANGE_INVALID(line, `"${word}" is not name=value`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

/** Words with the quoting of a Dockerfile: quotes group, a backslash takes the next character as it is. */
function wordsOf(text: string, line: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === "\\" && quote !== "'" && at + 1 < text.length) {
      at += 1;
      word = (word ?? "") + text.charAt(at);
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else word = (word ?? "") + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote !== "") throw imageFaults.CHANGE_INVALID(line, "a quote is not closed");
  if (word !== undefined) words.push(word);
  return words;
}
