import { Fault } from "@hawser/base";
import { cliFaults } from "../../cli-faults.ts";
import { defineCommand } from "../../command.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { printLine, warnLine } from "../../session.ts";
import { createContainer } from "./create-container.ts";
import { createFlags } from "./create-flags.ts";
import { createRequest } from "./create-request.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: {
    ...createFlags,
    pull: stringFlag('Pull image before creating ("always", "|missing", "never")', { initial: "missing" }),
  },
  arguments: { min: 1 },
  stopAtFirst: true,
  async run({ flags, changed, args, session }) {
    try {
      if (flags.rm && changed.has("restart") && flags.restart !== "no" && flags.restart !== "") {
        throw cliFaults.OPTIONS_CONFLICT("conflicting options: cannot specify both --restart and --rm");
      }
      const { environment, workingDir } = session;
      const request = createRequest({ flags, changed, args, environment, workingDir });
      const client = await session.connect();
      await printLine(session, await createContainer({ session, client, request, flags }));
      return 0;
    } catch (error) {
      const { message } = Fault.from(error);
      await warnLine(session, `hawser: ${message}\n\nRun 'hawser create --help' for more information`);
      return 125;
    }
  },
});
