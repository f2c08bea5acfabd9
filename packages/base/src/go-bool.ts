const truths: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false] as const),
]);

/** Yes or no as Go's `strconv.ParseBool` reads it, and so all of Docker's programs do; `undefined`: it is neither. */
export function parseGoBool(text: string): boolean | undefined {
  return truths.get(text);
}
