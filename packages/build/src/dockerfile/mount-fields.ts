import { parseCsvFields } from "@hawser/base";
import { invalidAt } from "./faults.ts";
import type { SourceRange } from "./source-range.ts";

/** The fields of `RUN --mount=`, with their variables. @throws {Fault} `invalid-argument` */
export function splitMount(text: string, range: SourceRange): readonly string[] {
  const bad = (words: string) => invalidAt(range, words);
  if (text === "") throw bad("failed to parse csv mounts: EOF");
  const read = parseCsvFields(text, "csvvalue");
  if ("problem" in read) throw bad(`failed to parse csv mounts: ${read.problem}`);
  for (const field of read.fields) {
    // What a stage needs is known before any variable is.
    if (/^from=[^$]*[$]./is.test(field))
      throw bad("'from' doesn't support variable expansion, define alias stage instead");
  }
  return read.fields;
}
