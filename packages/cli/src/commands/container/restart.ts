import { defineCommand } from "../../command.ts";
import { containerPath, eachArgument } from "../each-argument.ts";
import { stopFlags, stopQuery } from "./stop-flags.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: stopFlags,
  arguments: { min: 1 },
  async run({ flags, changed, args, session }) {
    const client = await session.connect();
    const query = stopQuery({ flags, changed });
    return await eachArgument(session, args, {
      action: async (container) => {
        await client.command({ method: "POST", path: containerPath(container, "restart"), query });
        return container;
      },
    });
  },
});
