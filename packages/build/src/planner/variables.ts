import type { Platform } from "@hawser/oci";
import { expandWord, expandWords, type Lookup } from "../dockerfile/expand.ts";
import type { PlanRequest } from "./build-request.ts";
import type { Stage } from "./stage.ts";

/** Expands the words of instructions in the scope that they stand in. */
export interface Scope {
  readonly lookup: Lookup;
  word(text: string): string;
  words(text: string): readonly string[];
}

export function createScope(lookup: Lookup, escape: string): Scope {
  return {
    lookup,
    word: (text) => expandWord(text, { lookup, escape }),
    words: (text) => expandWords(text, { lookup, escape }),
  };
}

/** Arguments that need no `ARG` to be passed to `RUN`, and do not make a result another one. */
export const proxyNames: readonly string[] = ["http", "https", "ftp", "no", "all"].flatMap((name) => [
  `${name}_proxy`,
  `${name.toUpperCase()}_PROXY`,
]);

/** What `FROM` can use without `ARG`, and stages once they declare it. */
export function platformArgs({ platform, buildPlatform }: PlanRequest): ReadonlyMap<string, string> {
  const named = (prefix: string, { os, architecture, variant = "" }: Platform) =>
    [
      [`${prefix}PLATFORM`, [os, architecture, variant].filter((part) => part !== "").join("/")],
      [`${prefix}OS`, os],
      [`${prefix}ARCH`, architecture],
      [`${prefix}VARIANT`, variant],
    ] as const;
  return new Map([...named("TARGET", platform), ...named("BUILD", buildPlatform)]);
}

/** Of `ENV` and `ARG` the one that came last. */
export function stageLookup(stage: Stage): Lookup {
  return (name) => stage.args.get(name) ?? envValue(stage.execution.env, name);
}

function envValue(env: readonly string[], name: string): string | undefined {
  const found = env.findLast((text) => text.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}

/** An environment with a variable set: in its place where it was, else at the end. */
export function withVariable(env: readonly string[], name: string, value: string): readonly string[] {
  const text = `${name}=${value}`;
  const at = env.findIndex((own) => own.startsWith(`${name}=`));
  return at < 0 ? [...env, text] : env.with(at, text);
}
