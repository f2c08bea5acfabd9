import { defineFaults } from "@hawser/base";

export const apiFaults = defineFaults({
  API_VERSION_INVALID: [
    "invalid-argument",
    (text: string) => `Cannot parse API version "${text}": two decimal numbers with a dot were wanted`,
  ],
  FILTERS_INVALID: ["invalid-argument", (why: string) => `invalid filter: ${why}`],
  FILTER_UNKNOWN: ["invalid-argument", (name: string) => `invalid filter '${name}'`],
  STREAM_FRAME_INVALID: ["data-loss", (what: string) => `Cannot read multiplexed stream: ${what}`],
});
