import { defineCommand } from "../../command.ts";
import { boolFlag, bytesFlag } from "../../flags/flag-kinds.ts";
import { confirm } from "../confirm.ts";
import { pruneFlags } from "../prune-flags.ts";
import { printReclaimed, prune, prunes } from "../prune-objects.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    all: boolFlag("Remove all unused build cache, not just dangling ones", { short: "a" }),
    "keep-storage": bytesFlag("Amount of disk space to keep for cache"),
    ...pruneFlags('Provide filter values (e.g. "until=24h")'),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    const what = flags.all ? "all build cache" : "all dangling build cache";
    const warning = `WARNING! This will remove ${what}.`;
    if (!flags.force && !(await confirm(session, warning))) return 0;
    const bytes = await prune(session, prunes.buildCache, {
      filters: flags.filter,
      query: { all: flags.all, "keep-storage": flags["keep-storage"] || undefined },
    });
    await printReclaimed(session, bytes);
    return 0;
  },
});
