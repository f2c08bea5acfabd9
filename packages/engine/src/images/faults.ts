import { defineFaults } from "@hawser/base";

/** Docker's own words wherever its clients show or match them. */
export const imageFaults = defineFaults({
  PULL_DENIED: [
    "not-found",
    (name: string) =>
      `pull access denied for ${name}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  ],
  CHANGE_UNKNOWN: ["invalid-argument", (word: string) => `${word} is not a valid change command`],
  CHANGE_INVALID: [
    "invalid-argument",
    (line: string, why: string) => `Cannot apply change ${JSON.stringify(line)}: ${why}`,
  ],
  FILTER_VALUE: ["invalid-argument", (name: string, value: string) => `invalid filter '${name}=[${value}]'`],
});
