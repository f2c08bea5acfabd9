import { defineFaults } from "../fault.ts";

/** What can be wrong with a template, in Go's words. */
export const templateFaults = defineFaults({
  TEMPLATE_INVALID: ["invalid-argument", (words: string) => `template parsing error: ${words}`],
  TEMPLATE_FAILED: ["invalid-argument", (words: string) => words],
});
