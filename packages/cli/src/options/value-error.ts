import { cliFaults } from "../faults.ts";

/** What is wrong with a value, in the words that Docker's own parser has for it; whoever asked adds where it stood. */
export function valueError(words: string): Error {
  return cliFaults.VALUE_INVALID(words);
}
