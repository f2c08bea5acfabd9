import { defineCommand } from "../../command.ts";
import { pruneFlags } from "../prune-flags.ts";
import { pruneObjects, prunes } from "../prune-objects.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: pruneFlags('Provide filter values (e.g. "until=<timestamp>")'),
  arguments: { min: 0, max: 0 },
  run: ({ flags, session }) =>
    pruneObjects(session, prunes.containers, {
      filters: flags.filter,
      ...(!flags.force && { warning: "WARNING! This will remove all stopped containers." }),
    }),
});
