import { type Command, defineCommand } from "../command.ts";
import { containerPath, eachArgument } from "./each-argument.ts";

/** A verb without options that asks the engine the same of each container. */
export function eachContainer(verb: string): Command {
  return defineCommand({
    usage: "CONTAINER [CONTAINER...]",
    flags: {},
    arguments: { min: 1 },
    async run({ args, session }) {
      const client = await session.connect();
      return await eachArgument(session, args, {
        action: async (container) => {
          await client.command({ method: "POST", path: containerPath(container, verb) });
          return container;
        },
      });
    },
  });
}
