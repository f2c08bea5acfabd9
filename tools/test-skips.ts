import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./tree.ts";

/** Test name → reason. */
export type KnownSkips = ReadonlyMap<string, string>;

/** Read tools/known-skips.txt. A line without a reason is an error. */
export function readKnownSkips(path: string = join(root, "tools/known-skips.txt")): KnownSkips {
  return parseKnownSkips(readFileSync(path, "utf8"));
}

export function parseKnownSkips(text: string): KnownSkips {
  const skips = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, name, reason] = /^(.+?): (\S.*)$/.exec(line) ?? [];
    if (name === undefined || reason === undefined) {
      throw new Error(`tools/known-skips.txt: "${line}" is not "<test>: <reason>"`);
    }
    skips.set(name, reason);
  }
  return skips;
}

/**
 * What is wrong with the skips of a run: those that the list does not name (when `strict`), and entries of the list whose
 * test ran, or (when the run was `complete`) was not there at all.
 */
export function judgeSkips(run: {
  readonly skipped: readonly string[];
  readonly ran: readonly string[];
  readonly known: KnownSkips;
  readonly strict: boolean;
  readonly complete: boolean;
}): string[] {
  const ran = new Set(run.ran);
  const skipped = new Set(run.skipped);
  const problems = run.strict
    ? run.skipped.filter((name) => !run.known.has(name)).map((name) => `skipped: ${name}`)
    : [];
  for (const name of run.known.keys()) {
    if (ran.has(name)) problems.push(`tools/known-skips.txt names "${name}", which runs: remove the line`);
    else if (run.complete && !skipped.has(name)) {
      problems.push(`tools/known-skips.txt names "${name}", which does not exist: remove the line`);
    }
  }
  return problems;
}
