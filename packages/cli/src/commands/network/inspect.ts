import { defineCommand } from "../../command.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { networkPath } from "../each-argument.ts";
import { formatUsage } from "../format-usage.ts";
import { inspectObjects } from "../inspect-objects.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  flags: {
    format: stringFlag(formatUsage(), { short: "f" }),
    verbose: boolFlag("Verbose output for diagnostics", { short: "v" }),
  },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    const query = { verbose: flags.verbose || undefined };
    return await inspectObjects({
      session,
      names: args,
      format: flags.format,
      find: (name) => client.text({ method: "GET", path: networkPath(name), query }),
    });
  },
});
