import { defineFaults } from "../fault.ts";

export const tarFaults = defineFaults({
  TAR_DAMAGED: ["data-loss", (what: string) => `Cannot read the archive: ${what}`],
  TAR_TRUNCATED: ["data-loss", (what: string) => `Cannot read the archive: it ends inside ${what}`],
  TAR_UNSUPPORTED: [
    "invalid-argument",
    (what: string) => `Cannot read the archive: ${what} is not supported`,
  ],
  TAR_LIMIT: [
    "invalid-argument",
    (what: string, limit: number) => `Cannot read the archive: ${what}, at most ${limit} are allowed`,
  ],
  TAR_PATH_ESCAPES: [
    "invalid-argument",
    (path: string) => `Cannot use the archive: the name "${path}" leaves the folder that it is unpacked in`,
  ],
});
