import { defineFaults } from "@hawser/base";

export const llbFaults = defineFaults({
  DEFINITION_INVALID: ["invalid-argument", (words: string) => `invalid LLB definition: ${words}`],
  DEFINITION_FOREIGN: ["not-implemented", (what: string) => `${what} is not available in this version`],
  NOT_ALLOWED: ["permission-denied", (name: string) => `${name} is not allowed`],
});

/** A definition that no client of BuildKit makes. */
export function invalid(words: string) {
  return llbFaults.DEFINITION_INVALID(words);
}
