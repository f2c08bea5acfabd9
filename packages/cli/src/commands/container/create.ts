import { Fault } from "@hawser/base";
import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { stringFlag } from "../../flags/flag-kinds.ts";
import { printLine, warnLine } from "../../session.ts";
import { checkPull, createContainer } from "./create-container.ts";
import { createFlags } from "./create-flags.ts";
import { createRequest, isRestarting } from "./create-request.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: {
    ...createFlags,
    pull: stringFlag('Pull image before creating ("always", "|missing", "never")', { initial: "missing" }),
  },
  arguments: { min: 1 },
  stopAtFirst: true,
  async run(invocation) {
    const { flags, session } = invocation;
    try {
      if (flags.rm && isRestarting(flags.restart)) {
        throw cliFaults.OPTIONS_CONFLICT("conflicting options: cannot specify both --restart and --rm");
      }
      checkPull(flags.pull);
      const { environment, workingDir } = session;
      const request = createRequest({ ...invocation, environment, workingDir });
      const client = await session.connect();
      await printLine(session, await createContainer({ session, client, request, flags }));
      return 0;
    } catch (error) {
      const fault = Fault.from(error);
      // what the engine refuses is told as it is, what is wrong with the options with a hint
      if (fault.code !== "VALUE_INVALID" && fault.code !== "OPTIONS_CONFLICT") throw fault;
      await warnLine(session, `hawser: ${fault.message}\n\nRun 'hawser create --help' for more information`);
      return 125;
    }
  },
});
