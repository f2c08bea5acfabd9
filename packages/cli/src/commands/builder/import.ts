import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { printLine } from "../../session.ts";
import { openArchive } from "../image/load.ts";

export const command = defineCommand({
  usage: "file|-",
  flags: {},
  arguments: { min: 1, max: 1 },
  async run({ args, session }) {
    const [source = ""] = args;
    if (source === "-" && session.stdin.isTTY) {
      throw cliFaults.OUTPUT_IS_TERMINAL("requested import from stdin, but stdin is empty");
    }
    const bytes = source === "-" ? session.stdin : openArchive(source, session.workingDir);
    const client = await session.connect();
    const { body } = await client.send({ method: "POST", path: "/build/cache-mounts", bytes });
    const { Imported: count } = JSON.parse(Buffer.concat(await Array.fromAsync(body)).toString()) as {
      readonly Imported: number;
    };
    await printLine(session, `Imported cache mounts: ${count}`);
    return 0;
  },
});
