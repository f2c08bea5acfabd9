import { defineCommand } from "../../command.ts";
import { eachArgument } from "../each-argument.ts";
import { openWait } from "./start-attached.ts";

export const command = defineCommand({
  usage: "CONTAINER [CONTAINER...]",
  flags: {},
  arguments: { min: 1 },
  async run({ args, session }) {
    const client = await session.connect();
    return await eachArgument(session, args, {
      action: async (container) => {
        const exited = await openWait({ client, container }, { condition: "" });
        return String(await exited.read());
      },
    });
  },
});
