import { defineCommand } from "../../command.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { containerPath } from "../each-argument.ts";
import { formatUsage } from "../format-usage.ts";
import { inspectObjects } from "../inspect-objects.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    format: stringFlag(formatUsage(), { short: "f" }),
    size: boolFlag("Display total file sizes", { short: "s" }),
  },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    return await inspectObjects({
      session,
      names: args,
      format: flags.format,
      find: (name) =>
        client.text({
          method: "GET",
          path: containerPath(name, "json"),
          query: { size: flags.size || undefined },
        }),
    });
  },
});
