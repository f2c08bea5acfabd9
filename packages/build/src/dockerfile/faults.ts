import { defineFaults, Fault } from "@hawser/base";
import type { SourceRange } from "./source-range.ts";

/** BuildKit's words where there are such. */
export const dockerfileFaults = defineFaults({
  DOCKERFILE_EMPTY: ["invalid-argument", () => "the Dockerfile cannot be empty"],
  DOCKERFILE_TOO_LARGE: [
    "invalid-argument",
    (maxBytes: number) => `Cannot read the Dockerfile: it has more than ${maxBytes} bytes`,
  ],
  DOCKERFILE_INVALID: ["invalid-argument", (words: string) => words],
  WORD_INVALID: ["invalid-argument", (words: string) => words],
});

const places = new WeakMap<Fault, readonly SourceRange[]>();

/** The same fault with a place in the Dockerfile; one that has a place keeps it. */
export function withRange(error: unknown, range: SourceRange): unknown {
  if (Fault.is(error) && !places.has(error)) places.set(error, [range]);
  return error;
}

/** Where in the Dockerfile a fault has its cause. */
export function rangeOf(error: unknown): SourceRange | undefined {
  return rangesOf(error)[0];
}

/** All the places that a fault is about, the one that shows it first. */
export function rangesOf(error: unknown): readonly SourceRange[] {
  return (Fault.is(error) && places.get(error)) || [];
}

export function invalidAt(range: SourceRange | readonly SourceRange[], words: string): Fault {
  const fault = dockerfileFaults.DOCKERFILE_INVALID(words);
  places.set(fault, "firstLine" in range ? [range] : range);
  return fault;
}

/** Of the Dockerfile as a whole: it is shown without lines, whoever passes it on. */
export function invalidAsWhole(words: string): Fault {
  return invalidAt([], words);
}

/**
 * The same refusal, of these places whatever it was of; what is no refusal stays what it is.
 *
 * @param words makes others of its own
 */
export function refusedAt(
  range: SourceRange | readonly SourceRange[],
  error: unknown,
  words = (own: string) => own,
): unknown {
  return Fault.is(error, "invalid-argument") ? invalidAt(range, words(error.message)).because(error) : error;
}

/** The same with other words, in the same place. */
export function reworded(fault: Fault, words: string): Fault {
  const other = new Fault(fault.kind, fault.code, words).because(fault);
  const own = places.get(fault);
  if (own !== undefined) places.set(other, own);
  return other;
}
