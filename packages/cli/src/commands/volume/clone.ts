import { defineCommand } from "../../command.ts";
import { listFlag } from "../../flags/flag-kinds.ts";
import { volumePath } from "../each-argument.ts";
import { splitLabel } from "./create.ts";
import { showVolumeCopy } from "./show-volume-copy.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME NEW_VOLUME",
  flags: { label: listFlag("Set metadata, beside that of the other volume") },
  arguments: { min: 2, max: 2 },
  async run({ flags, args, session }) {
    const [source = "", name = ""] = args;
    const client = await session.connect();
    const { body } = await client.send({
      method: "POST",
      path: volumePath(source, "clone"),
      json: { Name: name, Labels: Object.fromEntries(flags.label.map(splitLabel)) },
    });
    await showVolumeCopy(session, body);
    return 0;
  },
});
