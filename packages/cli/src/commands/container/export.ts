import { defineCommand } from "../../command.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { containerPath } from "../each-argument.ts";
import { checkArchiveTarget, writeArchive } from "../write-archive.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  flags: { output: stringFlag("Write to a file, instead of STDOUT", { short: "o" }) },
  arguments: { min: 1, max: 1 },
  async run({ flags, args, session }) {
    checkArchiveTarget(session, flags.output);
    const client = await session.connect();
    const { body } = await client.send({ method: "GET", path: containerPath(args[0] ?? "", "export") });
    await writeArchive(session, { body, output: flags.output });
    return 0;
  },
});
