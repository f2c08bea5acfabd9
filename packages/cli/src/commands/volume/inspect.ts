import { defineCommand } from "../../command.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { formatUsage } from "../format-usage.ts";
import { inspectObjects } from "../inspect-objects.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  flags: { format: stringFlag(formatUsage(), { short: "f" }) },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    return await inspectObjects({
      session,
      names: args,
      format: flags.format,
      find: (name) => client.text({ method: "GET", path: `/volumes/${encodeURIComponent(name)}` }),
    });
  },
});
