import type { ContainerSummary } from "@hawser/api";
import { formatFilters } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { boolFlag, filterFlag, intFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { containerLayout } from "../../format/container-fields.ts";
import { checkRowFormat, formatList } from "../../format/list-format.ts";
import { warnLine, write } from "../../session.ts";
import { formatUsage } from "../format-usage.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    all: boolFlag("Show all containers (default shows just running)", { short: "a" }),
    filter: filterFlag("Filter output based on conditions provided", { short: "f" }),
    format: stringFlag(formatUsage({ table: true })),
    last: intFlag("Show n last created containers (includes all states)", { short: "n", initial: -1 }),
    latest: boolFlag("Show the latest created container (includes all states)", { short: "l" }),
    "no-trunc": boolFlag("Don't truncate output"),
    quiet: boolFlag("Only display container IDs", { short: "q" }),
    size: boolFlag("Display total file sizes", { short: "s" }),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, changed, session }) {
    const layout = containerLayout({
      truncate: !flags["no-trunc"],
      now: session.now(),
      showSize: flags.size,
    });
    if (flags.format !== "" && !flags.quiet) checkRowFormat(anyContainer, layout, flags.format);
    const format = formatOf(flags, session.config().psFormat);
    if (flags.quiet && flags.format !== "")
      await warnLine(session, "WARNING: Ignoring custom format, because both --format and --quiet are set.");
    const wantsSize = changed.has("size") ? flags.size : /\.Size\b|\bjson\s+\./.test(format);
    const last = flags.latest && !changed.has("last") ? 1 : flags.last;
    const client = await session.connect();
    const rows = await client.json<readonly ContainerSummary[]>({
      method: "GET",
      path: "/containers/json",
      query: {
        all: flags.all || undefined,
        limit: last > 0 ? last : undefined,
        size: wantsSize || undefined,
        filters: formatFilters(flags.filter),
      },
    });
    await write(session.stdout, formatList(rows, layout, format));
    return 0;
  },
});

/** What a format is tried on before the engine is asked. */
const anyContainer: ContainerSummary = {
  Id: "",
  Names: [],
  Image: "",
  ImageID: "",
  Command: "",
  Created: 0,
  Ports: [],
  Labels: {},
  State: "created",
  Status: "",
  HostConfig: {},
  NetworkSettings: { Networks: {} },
  Mounts: [],
};

function formatOf(
  flags: { readonly format: string; readonly quiet: boolean },
  setting: string | undefined,
): string {
  return flags.quiet ? "{{.ID}}" : flags.format || setting || "table";
}
