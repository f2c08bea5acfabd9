import type { BuildCacheRecord, DiskUsageResponse } from "@hawser/api";
import { escapeHtmlJson } from "@hawser/base";
import { goValueFromJson, openTemplate } from "@hawser/base/template";
import { defineCommand } from "../../command.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { containerLayout } from "../../format/container-fields.ts";
import { formatHumanSize } from "../../format/humanize.ts";
import { imageLayout, imageRows } from "../../format/image-fields.ts";
import { formatList, type ListLayout } from "../../format/list-format.ts";
import { buildCacheLayout, usageLayout, usageRows } from "../../format/usage-fields.ts";
import { volumeLayout } from "../../format/volume-fields.ts";
import { write } from "../../session.ts";
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
      await write(session.stdout, lists.map(({ heading, table }) => `${heading}\n\n${table}`).join("\n"));
      return 0;
    }
    const details = Object.fromEntries(lists.map(({ name, json }) => [name, json]));
    await write(
      session.stdout,
      flags.format === "json"
        ? escapeHtmlJson(JSON.stringify(details))
        : openTemplate(flags.format).run(goValueFromJson(details)),
    );
    return 0;
  },
});

/** What was never used first, then by its last use. */
function byLastUse(a: BuildCacheRecord, b: BuildCacheRecord): number {
  const [first, second] = [a, b].map(({ LastUsedAt }) => LastUsedAt ?? "");
  if (first !== second) return (first ?? "") < (second ?? "") ? -1 : 1;
  return a.ID < b.ID ? -1 : 1;
}

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
  const cache = (usage.BuildCache ?? []).toSorted(byLastUse);
  const cacheBytes = cache.filter(({ Shared }) => !Shared).reduce((sum, { Size }) => sum + Size, 0);
  const images = (usage.Images ?? []).flatMap((image) =>
    imageRows([image], { perDigest: false }).slice(0, 1),
  );
  const containers = (usage.Containers ?? []).map((container) => ({ ...container, SizeRootFs: 0 }));
  return [
    list(
      "Images",
      images.map((row) => ({ ...row, digest: "" })),
      {
        heading: "Images space usage:",
        layoutOf: (truncate) => imageLayout({ truncate, now, showDigests: false }),
        columns: [
          "Repository",
          "Tag",
          "ID",
          "CreatedSince",
          "Size",
          "SharedSize",
          "UniqueSize",
          "Containers",
        ],
      },
    ),
    list("Containers", containers, {
      heading: "Containers space usage:",
      layoutOf: (truncate) => containerLayout({ truncate, now, showSize: true }),
      columns: ["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"],
    }),
    list("Volumes", usage.Volumes ?? [], {
      heading: "Local Volumes space usage:",
      layoutOf: () => volumeLayout,
      columns: ["Name", "Links", "Size"],
    }),
    list("BuildCache", cache, {
      heading: `Build cache usage: ${formatHumanSize(cacheBytes)}`,
      layoutOf: (truncate) => buildCacheLayout({ truncate, now }),
      columns: ["ID", "CacheType", "Size", "CreatedSince", "LastUsedSince", "UsageCount", "Shared"],
    }),
  ];
}

function list<Row>(
  name: string,
  rows: readonly Row[],
  options: {
    readonly heading: string;
    readonly layoutOf: (truncate: boolean) => ListLayout<Row>;
    readonly columns: readonly string[];
  },
): UsageList {
  const { heading, layoutOf, columns } = options;
  const table = `table ${columns.map((column) => `{{.${column}}}`).join("\t")}`;
  const lines = formatList(rows, layoutOf(false), "json").split("\n");
  return {
    name,
    heading,
    table: formatList(rows, layoutOf(true), table),
    json: lines.filter((line) => line !== "").map((line): unknown => JSON.parse(line)),
  };
}
