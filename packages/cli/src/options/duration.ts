import { parseDuration } from "@hawser/base";
import { valueError } from "./value-error.ts";

/** A duration in nanoseconds. @throws {Fault} `invalid-argument` in the words of Go's parser */
export function parseDurationNs(text: string): number {
  const read = parseDuration(text);
  if ("problem" in read) throw valueError(read.problem);
  return read.ns;
}
