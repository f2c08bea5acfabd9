import { boolFlag, filterFlag } from "../flags/flag-kinds.ts";

/** What all prunes have. */
export function pruneFlags(filterUsage: string) {
  return {
    filter: filterFlag(filterUsage),
    force: boolFlag("Do not prompt for confirmation", { short: "f" }),
  } as const;
}
