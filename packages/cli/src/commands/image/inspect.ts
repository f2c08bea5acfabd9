import { defineCommand } from "../../command.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { platformJsonQuery } from "../../options/platform-option.ts";
import { imagePath } from "../each-argument.ts";
import { formatUsage } from "../format-usage.ts";
import { inspectObjects } from "../inspect-objects.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    format: stringFlag(formatUsage(), { short: "f" }),
    platform: stringFlag(
      "Inspect a specific platform of the multi-platform image.\nIf the image or the server is not multi-platform capable, the command will error out if the platform does not match.\n'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)",
    ),
  },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    const query = { ...platformJsonQuery(flags.platform) };
    return await inspectObjects({
      session,
      names: args,
      format: flags.format,
      find: (name) => client.text({ method: "GET", path: imagePath(name, "json"), query }),
    });
  },
});
