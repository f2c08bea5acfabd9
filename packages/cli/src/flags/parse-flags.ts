import { goQuote, goQuoteChar, parseGoBool } from "@hawser/base";
import type { Flag, FlagTable, FlagValues } from "./flag.ts";

export type ParsedFlags<F extends FlagTable> =
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly words: string }
  | {
      readonly kind: "parsed";
      readonly flags: FlagValues<F>;
      /** Names of the options that were given. */
      readonly changed: ReadonlySet<string>;
      readonly args: readonly string[];
    };

/**
 * Parse arguments as Docker's clients do (the grammar of Go's `pflag`): `--name value`, `--name=value`, `-n value`,
 * `-nvalue`, `-n=value`, clusters of switches (`-it`), `--switch=false`, `--` ends options.
 *
 * @param options.stopAtFirst the first argument that is no option ends them (so that a container's command keeps its own).
 */
export function parseFlags<F extends FlagTable>(
  table: F,
  argv: readonly string[],
  options: { readonly stopAtFirst?: boolean } = {},
): ParsedFlags<F> {
  const run = new FlagRun(table, argv);
  return run.parse(options.stopAtFirst ?? false);
}

type Stop = { readonly kind: "help" } | { readonly kind: "wrong"; readonly words: string };

class FlagRun<F extends FlagTable> {
  readonly #table: F;
  readonly #shorts: ReadonlyMap<string, string>;
  readonly #values = new Map<string, unknown>();
  readonly #rest: string[];

  constructor(table: F, argv: readonly string[]) {
    this.#table = table;
    this.#rest = [...argv];
    const shorts = new Map<string, string>();
    for (const [name, { short }] of Object.entries(table)) if (short !== undefined) shorts.set(short, name);
    this.#shorts = shorts;
  }

  parse(stopAtFirst: boolean): ParsedFlags<F> {
    const args: string[] = [];
    for (;;) {
      const arg = this.#rest.shift();
      if (arg === undefined || arg === "--") break;
      if (!arg.startsWith("-") || arg === "-") {
        args.push(arg);
        if (stopAtFirst) break;
        continue;
      }
      const stop = arg.startsWith("--") ? this.#long(arg) : this.#shortCluster(arg.slice(1));
      if (stop !== undefined) return stop;
    }
    args.push(...this.#rest);
    const flags: Record<string, unknown> = {};
    for (const [name, flag] of Object.entries(this.#table)) {
      flags[name] = this.#values.has(name) ? this.#values.get(name) : flag.initial;
    }
    return { kind: "parsed", flags: flags as FlagValues<F>, changed: new Set(this.#values.keys()), args };
  }

  #long(arg: string): Stop | undefined {
    const at = arg.indexOf("=");
    const name = arg.slice(2, at < 0 ? undefined : at);
    if (name === "" || name.startsWith("-")) return wrong(`bad flag syntax: ${arg}`);
    if (name === "help") return at < 0 ? { kind: "help" } : helpValue(arg.slice(at + 1));
    const flag = this.#find(name);
    if (flag === undefined) return wrong(`unknown flag: --${name}`);
    if (at >= 0) return this.#set(name, flag, arg.slice(at + 1));
    if (flag.withoutValue !== undefined) return this.#set(name, flag, flag.withoutValue);
    const next = this.#rest.shift();
    if (next === undefined) return wrong(`flag needs an argument: --${name}`);
    return this.#set(name, flag, next);
  }

  #shortCluster(cluster: string): Stop | undefined {
    let rest = cluster;
    while (rest !== "") {
      const char = String.fromCodePoint(rest.codePointAt(0) ?? 0);
      const name = this.#shorts.get(char);
      const flag = name === undefined ? undefined : this.#find(name);
      if (name === undefined || flag === undefined) {
        if (char === "h") return { kind: "help" };
        return wrong(`unknown shorthand flag: ${goQuoteChar(char)} in -${rest}`);
      }
      const tail = rest.slice(char.length);
      let value: string | undefined;
      if (tail.length > 1 && tail.startsWith("=")) value = tail.slice(1);
      else if (flag.withoutValue !== undefined) {
        const stop = this.#set(name, flag, flag.withoutValue);
        if (stop !== undefined) return stop;
        rest = tail;
        continue;
      } else if (tail !== "") value = tail;
      else value = this.#rest.shift();
      if (value === undefined) return wrong(`flag needs an argument: ${goQuoteChar(char)} in -${rest}`);
      return this.#set(name, flag, value);
    }
    return undefined;
  }

  #find(name: string): Flag<unknown> | undefined {
    return Object.hasOwn(this.#table, name) ? this.#table[name] : undefined;
  }

  #set(name: string, flag: Flag<unknown>, text: string): Stop | undefined {
    const before = this.#values.has(name) ? this.#values.get(name) : flag.initial;
    try {
      this.#values.set(name, flag.parse(text, before));
      return undefined;
    } catch (error) {
      const label = flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`;
      const why = error instanceof Error ? error.message : String(error);
      return wrong(`invalid argument ${goQuote(text)} for ${goQuote(label)} flag: ${why}`);
    }
  }
}

function wrong(words: string): Stop {
  return { kind: "wrong", words };
}

function helpValue(text: string): Stop {
  if (parseGoBool(text) === true) return { kind: "help" };
  return wrong(
    `invalid argument ${goQuote(text)} for "--help" flag: strconv.ParseBool: parsing ${goQuote(text)}: invalid syntax`,
  );
}
