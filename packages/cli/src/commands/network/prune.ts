import { formatFilters } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { boolFlag, filterFlag } from "../../flags/flag-kinds.ts";
import { printLine } from "../../session.ts";
import { confirm } from "../confirm.ts";

const warning = "WARNING! This will remove all custom networks not used by at least one container.";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    filter: filterFlag('Provide filter values (e.g. "until=<timestamp>")'),
    force: boolFlag("Do not prompt for confirmation", { short: "f" }),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    if (!flags.force && !(await confirm(session, warning))) return 1;
    const client = await session.connect();
    const { NetworksDeleted } = await client.json<{ readonly NetworksDeleted: readonly string[] | null }>({
      method: "POST",
      path: "/networks/prune",
      query: { filters: formatFilters(flags.filter) },
    });
    if (NetworksDeleted === null || NetworksDeleted.length === 0) return 0;
    await printLine(session, `Deleted Networks:\n${NetworksDeleted.join("\n")}\n`);
    return 0;
  },
});
