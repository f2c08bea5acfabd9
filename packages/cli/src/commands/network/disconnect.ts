import { defineCommand } from "../../command.ts";
import { boolFlag } from "../../flags/flag-kinds.ts";
import { networkPath } from "../each-argument.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: { force: boolFlag("Force the container to disconnect from a network", { short: "f" }) },
  arguments: { min: 2, max: 2 },
  async run({ flags, args, session }) {
    const [network = "", container = ""] = args;
    const client = await session.connect();
    await client.command({
      method: "POST",
      path: networkPath(network, "disconnect"),
      json: { Container: container, Force: flags.force },
    });
    return 0;
  },
});
