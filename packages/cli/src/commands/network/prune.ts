import { defineCommand } from "../../command.ts";
import { confirm } from "../confirm.ts";
import { pruneFlags } from "../prune-flags.ts";
import { prune, prunes } from "../prune-objects.ts";

const warning = "WARNING! This will remove all custom networks not used by at least one container.";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: pruneFlags('Provide filter values (e.g. "until=<timestamp>")'),
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    if (!flags.force && !(await confirm(session, warning))) return 0;
    await prune(session, prunes.networks, { filters: flags.filter });
    return 0;
  },
});
