import type { ImageSummary } from "@hawser/api";
import { formatFilters } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, filterFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { imageLayout, imageRows } from "../../format/image-fields.ts";
import { formatList } from "../../format/list-format.ts";
import { write } from "../../session.ts";
import { formatUsage } from "../format-usage.ts";

export const command = defineCommand({
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  flags: {
    all: boolFlag("Show all images (default hides intermediate images)", { short: "a" }),
    digests: boolFlag("Show digests"),
    filter: filterFlag("Filter output based on conditions provided", { short: "f" }),
    format: stringFlag(formatUsage({ table: true })),
    "no-trunc": boolFlag("Don't truncate output"),
    quiet: boolFlag("Only show image IDs", { short: "q" }),
    tree: boolFlag("List multi-platform images as a tree (EXPERIMENTAL)", { hidden: true }),
  },
  arguments: { min: 0, max: 1 },
  async run({ flags, args, session }) {
    if (flags.tree) throw cliFaults.OPTIONS_CONFLICT("--tree is not supported");
    const filters = new Map(flags.filter);
    const [name] = args;
    if (name !== undefined) filters.set("reference", [...(filters.get("reference") ?? []), name]);
    const client = await session.connect();
    const images = await client.json<readonly ImageSummary[]>({
      method: "GET",
      path: "/images/json",
      query: { all: flags.all || undefined, filters: formatFilters(filters) },
    });
    const format = flags.format || (flags.quiet ? "{{.ID}}" : session.config().imagesFormat) || "table";
    const perDigest = flags.digests || /\.Digest\b/.test(format);
    const layout = imageLayout({
      truncate: !flags["no-trunc"],
      now: session.now(),
      showDigests: flags.digests,
    });
    const rows = imageRows(images, { perDigest });
    await write(
      session.stdout,
      formatList(rows, layout, flags.quiet && format === "table" ? "{{.ID}}" : format),
    );
    return 0;
  },
});
