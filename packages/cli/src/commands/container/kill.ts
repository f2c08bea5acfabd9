import { defineCommand } from "../../command.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { containerPath, eachArgument } from "../each-argument.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: { signal: stringFlag("Signal to send to the container", { short: "s" }) },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    return await eachArgument(session, args, {
      action: async (container) => {
        const query = { signal: flags.signal || undefined };
        await client.command({ method: "POST", path: containerPath(container, "kill"), query });
        return container;
      },
    });
  },
});
