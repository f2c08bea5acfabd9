import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag } from "../../flags/flag-kinds.ts";
import { confirm } from "../confirm.ts";
import { pruneFlags } from "../prune-flags.ts";
import { printReclaimed, prune, prunes } from "../prune-objects.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    all: boolFlag("Remove all unused images not just dangling ones", { short: "a" }),
    ...pruneFlags('Provide filter values (e.g. "label=<key>=<value>")'),
    volumes: boolFlag("Prune anonymous volumes"),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    const { all, filter, force, volumes } = flags;
    if (volumes && filter.has("until")) {
      throw cliFaults.OPTIONS_CONFLICT('ERROR: The "until" filter is not supported with "--volumes"');
    }
    if (!force && !(await confirm(session, warningOf({ all, volumes, filter })))) return 0;
    // In this order what the first used is unused for the next.
    let bytes = await prune(session, prunes.containers, { filters: filter });
    bytes += await prune(session, prunes.networks, { filters: filter });
    if (volumes) bytes += await prune(session, prunes.volumes, { filters: filter });
    const imageFilters = new Map([...filter, ["dangling", [String(!all)]]]);
    bytes += await prune(session, prunes.images, { filters: imageFilters });
    bytes += await prune(session, prunes.buildCache, { filters: filter, query: { all } });
    await printReclaimed(session, bytes);
    return 0;
  },
});

function warningOf(what: {
  readonly all: boolean;
  readonly volumes: boolean;
  readonly filter: ReadonlyMap<string, readonly string[]>;
}): string {
  const victims = [
    "all stopped containers",
    "all networks not used by at least one container",
    ...(what.volumes ? ["all anonymous volumes not used by at least one container"] : []),
    what.all ? "all images without at least one container associated to them" : "all dangling images",
    what.all ? "all build cache" : "unused build cache",
  ];
  const filters = [...what.filter].flatMap(([name, values]) => values.map((value) => `${name}=${value}`));
  const list = (heading: string, items: readonly string[]) =>
    `${heading}\n${items.map((item) => `  - ${item}\n`).join("")}`;
  const narrowed =
    filters.length === 0 ? "" : `\n${list("  Items to be pruned will be filtered with:", filters)}`;
  return `${list("WARNING! This will remove:", victims)}${narrowed}`;
}
