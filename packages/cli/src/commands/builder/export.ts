import { defineCommand } from "../../command.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { countBytes } from "../../format/count-bytes.ts";
import { checkArchiveTarget, writeArchive } from "../write-archive.ts";

export const command = defineCommand({
  usage: "[OPTIONS] [ID...]",
  flags: { output: stringFlag("Write to a file, instead of STDOUT", { short: "o" }) },
  arguments: { min: 0 },
  async run({ flags, args, session }) {
    checkArchiveTarget(session, flags.output);
    const client = await session.connect();
    const query = { id: args };
    const { body } = await client.send({ method: "GET", path: "/build/cache-mounts", query });
    await writeArchive(session, { body: countBytes(body, session.stderr), output: flags.output });
    return 0;
  },
});
