import type { VolumeListResponse } from "@hawser/api";
import { formatFilters } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { boolFlag, filterFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { formatList } from "../../format/list-format.ts";
import { compareNaturally } from "../../format/natural-order.ts";
import { volumeLayout } from "../../format/volume-fields.ts";
import { warnLine, write } from "../../session.ts";
import { formatUsage } from "../format-usage.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    filter: filterFlag('Provide filter values (e.g. "dangling=true")', { short: "f" }),
    format: stringFlag(formatUsage({ table: true })),
    quiet: boolFlag("Only display volume names", { short: "q" }),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    const client = await session.connect();
    const { Volumes, Warnings } = await client.json<VolumeListResponse>({
      method: "GET",
      path: "/volumes",
      query: { filters: formatFilters(flags.filter) },
    });
    const rows = (Volumes ?? []).toSorted((a, b) => compareNaturally(a.Name, b.Name));
    const format = flags.format || (flags.quiet ? "{{.Name}}" : session.config().volumesFormat) || "table";
    await write(session.stdout, formatList(rows, volumeLayout, format));
    for (const warning of Warnings ?? []) await warnLine(session, warning);
    return 0;
  },
});
