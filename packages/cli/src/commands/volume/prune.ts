import { defineCommand } from "../../command.ts";
import { boolFlag } from "../../flags/flag-kinds.ts";
import { pruneFlags } from "../prune-flags.ts";
import { pruneObjects, prunes } from "../prune-objects.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    all: boolFlag("Remove all unused volumes, not just anonymous ones", { short: "a" }),
    ...pruneFlags('Provide filter values (e.g. "label=<label>")'),
  },
  arguments: { min: 0, max: 0 },
  run: ({ flags, session }) => {
    const which = flags.all ? "all local volumes" : "anonymous local volumes";
    return pruneObjects(session, prunes.volumes, {
      filters: flags.all ? new Map([...flags.filter, ["all", ["true"]]]) : flags.filter,
      ...(!flags.force && {
        warning: `WARNING! This will remove ${which} not used by at least one container.`,
      }),
    });
  },
});
