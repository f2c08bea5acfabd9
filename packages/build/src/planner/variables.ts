import type { Platform } from "@hawser/oci";
import { expandWord, expandWords, type Lookup } from "../dockerfile/expand.ts";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
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

const proxyNames = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"] as const;

/**
 * Variables of `RUN` for arguments that need no `ARG`, and do not make a result another one. Programs look for one name or the
 * other, so each argument is there by both (BuildKit's `proxyEnvList`).
 */
export function proxyVariables(args: Readonly<Record<string, string | undefined>>): readonly string[] {
  return proxyNames.flatMap((lower) => {
    const upper = lower.toUpperCase();
    return [upper, lower].flatMap((name) => {
      const value = args[name] || args[name === upper ? lower : upper];
      return value ? [`${name}=${value}`] : [];
    });
  });
}

/** What `FROM` can use without `ARG`, and stages once they declare it. */
export function platformArgs({ platform, buildPlatform, target }: PlanRequest): ReadonlyMap<string, string> {
  const named = (prefix: string, { os, architecture, variant = "" }: Platform) =>
    [
      [`${prefix}PLATFORM`, [os, architecture, variant].filter((part) => part !== "").join("/")],
      [`${prefix}OS`, os],
      [`${prefix}ARCH`, architecture],
      [`${prefix}VARIANT`, variant],
    ] as const;
  return new Map([
    ...named("TARGET", platform),
    ...named("BUILD", buildPlatform),
    ["TARGETSTAGE", target || "default"],
  ]);
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

/** `ARG a b=c`: names, and what they are where nobody says otherwise. */
export function argumentsOf(node: InstructionNode): readonly (readonly [string, string | undefined])[] {
  return node.args.map((word) => {
    const at = word.indexOf("=");
    return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
  });
}
