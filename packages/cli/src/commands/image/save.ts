import { defineCommand } from "../../command.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { platformJsonQuery } from "../../options/platform-option.ts";
import { checkArchiveTarget, writeArchive } from "../write-archive.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    output: stringFlag("Write to a file, instead of STDOUT", { short: "o" }),
    platform: stringFlag(
      'Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
  },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    checkArchiveTarget(session, flags.output);
    const client = await session.connect();
    const query = { names: args, ...platformJsonQuery(flags.platform) };
    const { body } = await client.send({ method: "GET", path: "/images/get", query });
    await writeArchive(session, { body, output: flags.output });
    return 0;
  },
});
