import { posix } from "node:path";
import { formatPlatform, type Platform, parseReference } from "@hawser/oci";
import { parseHeredocWord } from "../dockerfile/heredoc.ts";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
import type { LintFinding } from "../lint/lint-dockerfile.ts";
import type { PlanRequest } from "./build-request.ts";
import type { FoundStage } from "./find-stages.ts";
import { placeOf } from "./plan-copy.ts";
import { argumentsOf, createScope, platformArgs, type Scope } from "./variables.ts";

const found = new WeakMap<object, readonly LintFinding[]>();

/** The same thrown value, with what was found before. */
export function withFindings(error: unknown, findings: readonly LintFinding[]): unknown {
  if (typeof error === "object" && error !== null) found.set(error, findings);
  return error;
}

/** Build checks that had failed before a plan did. */
export function findingsOf(error: unknown): readonly LintFinding[] {
  return (typeof error === "object" && error !== null && found.get(error)) || [];
}

/** Whether stages would begin with images if nobody gave arguments. */
export function baseFindings(
  instructions: readonly InstructionNode[],
  request: PlanRequest,
  escape: string,
): readonly LintFinding[] {
  const values = new Map<string, string>(platformArgs(request));
  const scope = createScope((name) => values.get(name), escape);
  const first = instructions.findIndex(({ name }) => name === "FROM");
  for (const node of instructions.slice(0, Math.max(first, 0))) {
    for (const [name, initial] of argumentsOf(node)) {
      const value = initial === undefined ? undefined : findValue(initial, scope);
      if (value !== undefined) values.set(name, value);
    }
  }
  return instructions.flatMap((node): LintFinding[] => {
    const [base = ""] = node.args;
    const name = node.name === "FROM" ? findValue(base, scope) : undefined;
    if (name === undefined || isReference(name)) return [];
    const detail = `Default value for ARG ${base} results in empty or invalid base image name`;
    return [{ rule: "InvalidDefaultArgInFrom", detail, range: node.range }];
  });
}

/** Whether an image is for the machine that a stage is for. */
export function platformFindings(
  { base, platform, node }: FoundStage,
  found: Platform,
  request: PlanRequest,
): readonly LintFinding[] {
  const wanted = platform ?? request.platform;
  if (wanted.os === found.os && wanted.architecture === found.architecture) return [];
  const [actual, expected] = [found, wanted].map((one) => JSON.stringify(formatPlatform(one)));
  const detail = `Base image ${base} was pulled with platform ${actual}, expected ${expected} for current build`;
  return [{ rule: "InvalidBaseImagePlatform", detail, range: node.range }];
}

/** Whether files are copied that `.dockerignore` leaves out. */
export function sourceFindings(
  node: InstructionNode,
  scope: Scope,
  { isIgnored }: PlanRequest,
): readonly LintFinding[] {
  const isCopy = node.name === "COPY" || node.name === "ADD";
  if (!isCopy || isIgnored === undefined || node.flags.some((flag) => flag.startsWith("--from="))) return [];
  return node.args.slice(0, -1).flatMap((word): LintFinding[] => {
    if (parseHeredocWord(word) !== undefined || placeOf(word) !== "context") return [];
    const path = scope.word(word);
    if (!isIgnored(posix.normalize(path).replace(/\/$/, ""))) return [];
    const verb = node.name === "ADD" ? "Add" : "Copy";
    const detail = `Attempting to ${verb} file ${JSON.stringify(path)} that is excluded by .dockerignore`;
    return [{ rule: "CopyIgnoredFile", detail, range: node.range }];
  });
}

/** `undefined`: it cannot be. */
function findValue(word: string, scope: Scope): string | undefined {
  try {
    return scope.word(word);
  } catch {
    return undefined;
  }
}

export function isReference(text: string): boolean {
  try {
    return parseReference(text) !== undefined;
  } catch {
    return false;
  }
}
