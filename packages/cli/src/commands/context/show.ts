import { defineCommand } from "../../command.ts";
import { printLine } from "../../session.ts";

export const command = defineCommand({
  usage: "",
  flags: {},
  arguments: { min: 0, max: 0 },
  async run({ session }) {
    await printLine(session, session.contextName);
    return 0;
  },
});
