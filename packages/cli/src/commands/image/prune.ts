import { defineCommand } from "../../command.ts";
import { boolFlag } from "../../flags/flag-kinds.ts";
import { pruneFlags } from "../prune-flags.ts";
import { pruneObjects, prunes } from "../prune-objects.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    all: boolFlag("Remove all unused images, not just dangling ones", { short: "a" }),
    ...pruneFlags('Provide filter values (e.g. "until=<timestamp>")'),
  },
  arguments: { min: 0, max: 0 },
  run: ({ flags, session }) => {
    const warning = flags.all
      ? "WARNING! This will remove all images without at least one container associated to them."
      : "WARNING! This will remove all dangling images.";
    return pruneObjects(session, prunes.images, {
      filters: new Map([...flags.filter, ["dangling", [String(!flags.all)]]]),
      ...(!flags.force && { warning }),
    });
  },
});
