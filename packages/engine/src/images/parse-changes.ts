import { posix } from "node:path";
import { readHealthInterval } from "@hawser/build";
import { type ExecutionConfig, parseSignal } from "@hawser/oci";
import { imageFaults } from "./faults.ts";

type Changes = { -readonly [Key in keyof ExecutionConfig]?: ExecutionConfig[Key] };

/**
 * What `docker import --change` and `docker commit --change` may say: one Dockerfile instruction each, of those that only change the configuration.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseChanges(lines: readonly string[]): Partial<ExecutionConfig> {
  const changes: Changes = {};
  let count = 0;
  for (const line of lines.flatMap((text) => text.split("\n"))) {
    const [, word = "", rest = ""] = /^\s*(\S+)\s*([^]*?)\s*$/.exec(line) ?? [];
    if (word === "" || word.startsWith("#")) continue;
    const apply = instructions[word.toUpperCase()];
    if (apply === undefined) throw imageFaults.CHANGE_UNKNOWN(word.toUpperCase());
    if (rest === "") throw imageFaults.CHANGE_INVALID(`${word.toUpperCase()} requires at least one argument`);
    apply(changes, rest);
    count += 1;
  }
  if (lines.length > 0 && count === 0) throw imageFaults.CHANGE_INVALID("file with no instructions");
  return changes;
}

/** A configuration after `changes`: what they name is replaced, and joined where there may be several. */
export function applyChanges<T extends ExecutionConfig>(config: T, changes: Partial<ExecutionConfig>): T {
  const nameOf = (text: string) => text.split("=", 1)[0];
  const env = new Map([...config.env, ...(changes.env ?? [])].map((text) => [nameOf(text), text]));
  const joined = (own: readonly string[] = [], more: readonly string[] = []) => [
    ...new Set([...own, ...more]),
  ];
  const { cmd, argsEscaped, ...others } = config;
  const { workingDir } = changes;
  return {
    ...(others as T),
    // A new entrypoint has no use for the old one's arguments.
    ...(changes.entrypoint === undefined && cmd && { cmd }),
    ...(changes.entrypoint === undefined && changes.cmd === undefined && argsEscaped && { argsEscaped }),
    ...changes,
    ...(workingDir !== undefined && { workingDir: posix.resolve("/", config.workingDir, workingDir) }),
    env: [...env.values()],
    labels: { ...config.labels, ...changes.labels },
    exposedPorts: joined(config.exposedPorts, changes.exposedPorts),
    volumes: joined(config.volumes, changes.volumes),
    ...(changes.onBuild && { onBuild: [...(config.onBuild ?? []), ...changes.onBuild] }),
  };
}

const instructions: Readonly<Record<string, (changes: Changes, rest: string) => void>> = {
  CMD: (changes, rest) => {
    changes.cmd = commandOf(rest);
  },
  ENTRYPOINT: (changes, rest) => {
    changes.entrypoint = commandOf(rest);
  },
  ENV: (changes, rest) => {
    const env = new Map((changes.env ?? []).map((text) => [text.split("=", 1)[0], text]));
    for (const [name, value] of pairsOf(rest)) env.set(name, `${name}=${value}`);
    changes.env = [...env.values()];
  },
  LABEL: (changes, rest) => {
    changes.labels = Object.fromEntries([...Object.entries(changes.labels ?? {}), ...pairsOf(rest)]);
  },
  EXPOSE: (changes, rest) => {
    const ports = wordsOf(rest).map((port) => {
      const [, number, protocol = "tcp"] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(port) ?? [];
      if (number === undefined || Number(number) > 65535)
        throw imageFaults.CHANGE_INVALID(`Invalid containerPort: ${port}`);
      return `${Number(number)}/${protocol.toLowerCase()}`;
    });
    changes.exposedPorts = [...new Set([...(changes.exposedPorts ?? []), ...ports])];
  },
  HEALTHCHECK: (changes, rest) => {
    changes.healthcheck = healthcheckOf(rest);
  },
  ONBUILD: (changes, rest) => {
    changes.onBuild = [...(changes.onBuild ?? []), rest];
  },
  STOPSIGNAL: (changes, rest) => {
    parseSignal(rest);
    changes.stopSignal = rest;
  },
  USER: (changes, rest) => {
    changes.user = rest;
  },
  VOLUME: (changes, rest) => {
    const volumes = jsonListOf(rest) ?? wordsOf(rest);
    changes.volumes = [...new Set([...(changes.volumes ?? []), ...volumes])];
  },
  WORKDIR: (changes, rest) => {
    changes.workingDir = posix.join(changes.workingDir ?? "", rest);
  },
};

/** A JSON list as it is; anything else is for the shell. */
function commandOf(text: string): readonly string[] {
  return jsonListOf(text) ?? ["/bin/sh", "-c", text];
}

const healthTimes = {
  interval: "intervalNs",
  timeout: "timeoutNs",
  "start-period": "startPeriodNs",
  "start-interval": "startIntervalNs",
} as const;

/** `[--interval=30s …] CMD command`, or `NONE`. */
function healthcheckOf(text: string): NonNullable<ExecutionConfig["healthcheck"]> {
  const refused = (why: string) => imageFaults.CHANGE_INVALID(why);
  const check = { intervalNs: 0, timeoutNs: 0, startPeriodNs: 0, startIntervalNs: 0, retries: 0 };
  let rest = text;
  for (;;) {
    const [flag, name = "", value = ""] = /^--([a-z-]+)=(\S*)\s*/.exec(rest) ?? [];
    if (flag === undefined) break;
    rest = rest.slice(flag.length);
    if (name === "retries") {
      if (!/^\d{1,9}$/.test(value)) throw refused(`--retries must be at least 0 (not ${value})`);
      check.retries = Number(value);
      continue;
    }
    if (!Object.hasOwn(healthTimes, name)) throw refused(`unknown flag: --${name}`);
    const read = readHealthInterval(name, value);
    if ("problem" in read) throw refused(read.problem);
    check[healthTimes[name as keyof typeof healthTimes]] = read.ns;
  }
  const [, kind = "", command = ""] = /^(\S*)\s*([^]*)$/.exec(rest) ?? [];
  if (kind.toUpperCase() === "NONE") {
    if (command !== "") throw refused("HEALTHCHECK NONE takes no arguments");
    return { ...check, test: ["NONE"] };
  }
  if (kind.toUpperCase() !== "CMD")
    throw refused(`Unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
  if (command === "") throw refused("Missing command after HEALTHCHECK CMD");
  const list = jsonListOf(command);
  return { ...check, test: list ? ["CMD", ...list] : ["CMD-SHELL", command] };
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
function pairsOf(text: string): readonly (readonly [string, string])[] {
  const [, name, value] = /^([^\s="']+)\s+([^]+)$/.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [[name, value]];
  return wordsOf(text).map((word) => {
    const at = word.indexOf("=");
    if (at <= 0) throw imageFaults.CHANGE_INVALID(`"${word}" is not name=value`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

/** Words with the quoting of a Dockerfile: quotes group, a backslash takes the next character as it is. */
function wordsOf(text: string): readonly string[] {
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
  if (quote !== "") throw imageFaults.CHANGE_INVALID("a quote is not closed");
  if (word !== undefined) words.push(word);
  return words;
}
