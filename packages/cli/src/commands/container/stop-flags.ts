import type { FlagValues } from "../../flags/flag.ts";
import { intFlag, stringFlag } from "../../flags/flag-kinds.ts";

/** What `stop` and `restart` share. */
export const stopFlags = {
  signal: stringFlag("Signal to send to the container", { short: "s" }),
  timeout: intFlag("Seconds to wait before killing the container", { short: "t" }),
  time: intFlag("Seconds to wait before killing the container", {
    hidden: true,
    deprecated: "use --timeout instead",
  }),
} as const;

/** The query of their requests. */
export function stopQuery(options: {
  readonly flags: FlagValues<typeof stopFlags>;
  readonly changed: ReadonlySet<string>;
}): Readonly<Record<string, string | number | undefined>> {
  const { flags, changed } = options;
  const timeout = changed.has("timeout") ? flags.timeout : changed.has("time") ? flags.time : undefined;
  return { signal: flags.signal || undefined, t: timeout };
}
