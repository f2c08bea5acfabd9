import { defineFaults, Fault } from "@hawser/base";
import type { SourceRange } from "./source-range.ts";

/** BuildKit's words where there are such. */
export const dockerfileFaults = defineFaults({
  DOCKERFILE_EMPTY: ["invalid-argument", () => "file with no instructions"],
  DOCKERFILE_TOO_LARGE: [
    "invalid-argument",
    (maxBytes: number) => `Cannot read the Dockerfile: it has more than ${maxBytes} bytes`,
  ],
  DOCKERFILE_INVALID: ["invalid-argument", (words: string) => words],
  WORD_INVALID: ["invalid-argument", (words: string) => words],
});

const ranges = new WeakMap<Fault, SourceRange>();

/** The same fault with a place in the Dockerfile; one that has a place keeps it. */
export function withRange(error: unknown, range: SourceRange): unknown {
  if (Fault.is(error) && !ranges.has(error)) ranges.set(error, range);
  return error;
}

/** Where in the Dockerfile a fault has its cause. */
export function rangeOf(error: unknown): SourceRange | undefined {
  return Fault.is(error) ? ranges.get(error) : undefined;
}

export function invalidAt(range: SourceRange, words: string): Fault {
  const fault = dockerfileFaults.DOCKERFILE_INVALID(words);
  ranges.set(fault, range);
  return fault;
}
