import type { ImageHistoryItem } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { historyLayout } from "../../format/history-fields.ts";
import { formatList } from "../../format/list-format.ts";
import { platformJsonQuery } from "../../options/platform-option.ts";
import { write } from "../../session.ts";
import { imagePath } from "../each-argument.ts";
import { formatUsage } from "../format-usage.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE",
  flags: {
    format: stringFlag(formatUsage({ table: true })),
    human: boolFlag("Print sizes and dates in human readable format", { short: "H", initial: true }),
    "no-trunc": boolFlag("Don't truncate output"),
    platform: stringFlag(
      'Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: boolFlag("Only show image IDs", { short: "q" }),
  },
  arguments: { min: 1, max: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    const items = await client.json<readonly ImageHistoryItem[]>({
      method: "GET",
      path: imagePath(args[0] ?? "", "history"),
      query: { ...platformJsonQuery(flags.platform) },
    });
    const layout = historyLayout({
      truncate: !flags["no-trunc"],
      human: flags.human,
      now: session.now(),
    });
    const format = flags.format || (flags.quiet ? "{{.ID}}" : "table");
    await write(session.stdout, formatList(items, layout, format));
    return 0;
  },
});
