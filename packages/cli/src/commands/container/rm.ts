import { defineCommand } from "../../command.ts";
import { boolFlag } from "../../flags/flag-kinds.ts";
import { valueError } from "../../options/value-error.ts";
import { containerPath, eachArgument } from "../each-argument.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    force: boolFlag("Force the removal of a running container (uses SIGKILL)", { short: "f" }),
    link: boolFlag("Remove the specified link", { short: "l" }),
    volumes: boolFlag("Remove anonymous volumes associated with the container", { short: "v" }),
  },
  arguments: { min: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    return await eachArgument(session, args, {
      action: async (arg) => {
        const container = arg.replace(/^\/+|\/+$/g, "");
        if (container === "") throw valueError("container name cannot be empty");
        const query = {
          force: flags.force || undefined,
          link: flags.link || undefined,
          v: flags.volumes || undefined,
        };
        await client.command({ method: "DELETE", path: containerPath(container), query });
        return arg;
      },
      // what is to be gone is gone
      forgives: (fault) => flags.force && fault.kind === "not-found",
    });
  },
});
