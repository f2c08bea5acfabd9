import type { EventMessage } from "@hawser/api";
import { formatFilters } from "@hawser/api";
import { splitJson } from "@hawser/api/client";
import { goValueFromJson, openTemplate, parseExactJson } from "@hawser/base/template";
import { defineCommand } from "../../command.ts";
import { filterFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { formatLocalRfc3339 } from "../../format/go-time.ts";
import { parseTimestamp } from "../../options/timestamp.ts";
import { printLine } from "../../session.ts";
import { formatUsage } from "../format-usage.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  flags: {
    filter: filterFlag("Filter output based on conditions provided", { short: "f" }),
    format: stringFlag(formatUsage()),
    since: stringFlag("Show all events created since timestamp"),
    until: stringFlag("Stream events until this timestamp"),
  },
  arguments: { min: 0, max: 0 },
  async run({ flags, session }) {
    const print = printer(flags.format);
    const now = session.now();
    const client = await session.connect();
    const { body } = await client.send({
      method: "GET",
      path: "/events",
      query: {
        since: flags.since === "" ? undefined : parseTimestamp(flags.since, now),
        until: flags.until === "" ? undefined : parseTimestamp(flags.until, now),
        filters: formatFilters(flags.filter),
      },
    });
    for await (const text of splitJson(body)) await printLine(session, print(text));
    return 0;
  },
});

function printer(format: string): (text: string) => string {
  if (format === "") return formatEvent;
  if (format === "json") return (text) => text;
  const template = openTemplate(format);
  return (text) => template.run(goValueFromJson(parseExactJson(text)));
}

/** `time type action id (name=value, …)`. */
function formatEvent(text: string): string {
  const event = parseExactJson(text) as Partial<EventMessage> & { readonly timeNano?: number | bigint };
  const ns = event.timeNano !== undefined ? BigInt(event.timeNano) : BigInt(event.time ?? 0) * 1_000_000_000n;
  const line = `${formatLocalRfc3339(ns)} ${event.Type ?? ""} ${event.Action ?? ""} ${event.Actor?.ID ?? ""}`;
  const attributes = Object.entries(event.Actor?.Attributes ?? {});
  if (attributes.length === 0) return line;
  const sorted = attributes.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `${line} (${sorted.map(([name, value]) => `${name}=${value}`).join(", ")})`;
}
