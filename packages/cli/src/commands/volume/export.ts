import { defineCommand } from "../../command.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { countBytes } from "../../format/count-bytes.ts";
import { volumePath } from "../each-argument.ts";
import { checkArchiveTarget, writeArchive } from "../write-archive.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME",
  flags: { output: stringFlag("Write to a file, instead of STDOUT", { short: "o" }) },
  arguments: { min: 1, max: 1 },
  async run({ flags, args, session }) {
    checkArchiveTarget(session, flags.output);
    const client = await session.connect();
    const { body } = await client.send({ method: "GET", path: volumePath(args[0] ?? "", "export") });
    await writeArchive(session, { body: countBytes(body, session.stderr), output: flags.output });
    return 0;
  },
});
