import { defineCommand } from "../../command.ts";
import { boolFlag } from "../../flags/flag-kinds.ts";
import { eachArgument } from "../each-argument.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  description: "Remove one or more volumes. You cannot remove a volume that is in use by a container.",
  flags: { force: boolFlag("Force the removal of one or more volumes", { short: "f" }) },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    return await eachArgument(session, args, {
      action: async (name) => {
        const query = { force: flags.force || undefined };
        await client.command({ method: "DELETE", path: `/volumes/${encodeURIComponent(name)}`, query });
        return name;
      },
      // what is to be gone is gone
      forgives: (fault) => flags.force && fault.kind === "not-found",
    });
  },
});
