import type { DiskUsageResponse } from "@hawser/api";
import { goValueFromJson, openTemplate } from "@hawser/base/template";
import { defineCommand } from "../../command.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { containerLayout } from "../../format/container-fields.ts";
import { formatHumanSize } from "../../format/humanize.ts";
import { imageLayout, imageRows } from "../../format/image-fields.ts";
import { formatList, type ListLayout } from "../../format/list-format.ts";
import { buildCacheLayout, usageLayout, usageRows } from "../../format/usage-fields.ts";
import { volumeLayout } from "../../format/volume-fields.ts";
import { printLine, write } from "../../session.ts";
import { formatUsage } from "../format-usage.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    format: stringFlag(formatUsage({ table: true })),
    verbose: boolFlag("Show detailed information on space usage", { short: "v" }),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    const client = await session.connect();
    const usage = await client.json<DiskUsageResponse>({ method: "GET", path: "/system/df" });
    if (!flags.verbose) {
      await write(session.stdout, formatList(usageRows(usage), usageLayout, flags.format || "table"));
      return 0;
    }
    const lists = listsOf(usage, session.now());
    if (flags.format === "" || flags.format === "table") {
      for (const { heading, table } of lists) await printLine(session, `${heading}\n\n${table}`);
      return 0;
    }
    const details = Object.fromEntries(lists.map(({ name, json }) => [name, json]));
    await printLine(
      session,
      flags.format === "json"
        ? JSON.stringify(details)
        : openTemplate(flags.format).run(goValueFromJson(details)),
    );
    return 0;
  },
});

interface UsageList {
  readonly name: string;
  readonly heading: string;
  /** Aligned columns. */
  readonly table: string;
  /** The same rows with all their fields. */
  readonly json: readonly unknown[];
}

/** What `-v` shows, list by list. */
function listsOf(usage: DiskUsageResponse, now: Date): readonly UsageList[] {
  const cache = usage.BuildCache ?? [];
  const cacheBytes = cache.filter(({ Shared }) => !Shared).reduce((sum, { Size }) => sum + Size, 0);
  const images = imageRows(usage.Images ?? [], { perDigest: false });
  return [
    list("Images", images, {
      heading: "Images space usage:",
      layout: imageLayout({ truncate: true, now, showDigests: false }),
      columns: ["Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers"],
    }),
    list("Containers", usage.Containers ?? [], {
      heading: "Containers space usage:",
      layout: containerLayout({ truncate: true, now, showSize: true }),
      columns: ["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"],
    }),
    list("Volumes", usage.Volumes ?? [], {
      heading: "Local Volumes space usage:",
      layout: volumeLayout,
      columns: ["Name", "Links", "Size"],
    }),
    list("BuildCache", cache, {
      heading: `Build cache usage: ${formatHumanSize(cacheBytes)}`,
      layout: buildCacheLayout({ now }),
      columns: ["ID", "CacheType", "Size", "CreatedSince", "LastUsedSince", "UsageCount", "Shared"],
    }),
  ];
}

function list<Row>(
  name: string,
  rows: readonly Row[],
  options: {
    readonly heading: string;
    readonly layout: ListLayout<Row>;
    readonly columns: readonly string[];
  },
): UsageList {
  const { heading, layout, columns } = options;
  const table = `table ${columns.map((column) => `{{.${column}}}`).join("\t")}`;
  const lines = formatList(rows, layout, "json").split("\n");
  return {
    name,
    heading,
    table: formatList(rows, layout, table),
    json: lines.filter((line) => line !== "").map((line): unknown => JSON.parse(line)),
  };
}
