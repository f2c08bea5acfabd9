import { defineCommand } from "../../command.ts";
import { pruneFlags } from "../prune-flags.ts";
import { pruneObjects } from "../prune-objects.ts";

interface Pruned {
  readonly ContainersDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: pruneFlags('Provide filter values (e.g. "until=<timestamp>")'),
  arguments: { min: 0, max: 0 },
  run: ({ flags, session }) =>
    pruneObjects<Pruned>(session, {
      path: "/containers/prune",
      filters: flags.filter,
      ...(!flags.force && { warning: "WARNING! This will remove all stopped containers." }),
      listOf: ({ ContainersDeleted: deleted }) =>
        deleted === null || deleted.length === 0 ? [] : ["Deleted Containers:", ...deleted],
    }),
});
