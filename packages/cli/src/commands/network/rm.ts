import { defineCommand } from "../../command.ts";
import { boolFlag } from "../../flags/flag-kinds.ts";
import { eachArgument, networkPath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "NETWORK [NETWORK...]",
  flags: { force: boolFlag("Do not error if the network does not exist", { short: "f" }) },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    return await eachArgument(session, args, {
      action: async (network) => {
        await client.command({ method: "DELETE", path: networkPath(network) });
        return network;
      },
      forgives: ({ kind }) => flags.force && kind === "not-found",
    });
  },
});
