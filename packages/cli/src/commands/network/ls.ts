import { formatFilters, type NetworkInspect } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { boolFlag, filterFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { formatList } from "../../format/list-format.ts";
import { compareNaturally } from "../../format/natural-order.ts";
import { networkLayout } from "../../format/network-fields.ts";
import { write } from "../../session.ts";
import { formatUsage } from "../format-usage.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    filter: filterFlag('Provide filter values (e.g. "driver=bridge")', { short: "f" }),
    format: stringFlag(formatUsage({ table: true })),
    "no-trunc": boolFlag("Do not truncate the output"),
    quiet: boolFlag("Only display network IDs", { short: "q" }),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    const client = await session.connect();
    const networks = await client.json<readonly NetworkInspect[]>({
      method: "GET",
      path: "/networks",
      query: { filters: formatFilters(flags.filter) },
    });
    const rows = networks.toSorted((a, b) => compareNaturally(a.Name, b.Name));
    const layout = networkLayout({ truncate: !flags["no-trunc"] });
    const format = flags.format || (flags.quiet ? "{{.ID}}" : session.config().networksFormat) || "table";
    await write(session.stdout, formatList(rows, layout, format));
    return 0;
  },
});
