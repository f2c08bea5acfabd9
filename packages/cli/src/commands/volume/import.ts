import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, listFlag } from "../../flags/flag-kinds.ts";
import { volumePath } from "../each-argument.ts";
import { openArchive } from "../image/load.ts";
import { showVolumeCopy } from "./show-volume-copy.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME file|-",
  flags: {
    label: listFlag("Set metadata for a new volume"),
    merge: boolFlag("Write over what is in the volume already"),
  },
  arguments: { min: 2, max: 2 },
  async run({ flags, args, session }) {
    const [volume = "", source = ""] = args;
    if (source === "-" && session.stdin.isTTY) {
      throw cliFaults.OUTPUT_IS_TERMINAL("requested import from stdin, but stdin is empty");
    }
    const bytes = source === "-" ? session.stdin : openArchive(source, session.workingDir);
    const client = await session.connect();
    const { body } = await client.send({
      method: "POST",
      path: volumePath(volume, "import"),
      query: { label: flags.label, merge: flags.merge },
      bytes,
    });
    await showVolumeCopy(session, body);
    return 0;
  },
});
