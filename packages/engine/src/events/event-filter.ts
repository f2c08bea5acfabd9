import { type Filters, matchesLabels } from "@hawser/api";
import type { EngineEvent } from "./event-bus.ts";

/** Names that a filter of events may have: moby's. */
export const eventFilterNames = [
  "config",
  "container",
  "daemon",
  "event",
  "image",
  "label",
  "network",
  "node",
  "plugin",
  "scope",
  "secret",
  "service",
  "type",
  "volume",
] as const;

/** Filters that name the actor of the event's own type, by id or name, or by the beginning of either. */
const actorFilters = [
  "config",
  "container",
  "daemon",
  "network",
  "node",
  "plugin",
  "secret",
  "service",
  "volume",
];

/** Whether an event is asked for: every filter must have a value that fits (moby's `daemon/events/filter.go`). */
export function matchesEvent(filters: Filters, { type, action, actor }: EngineEvent): boolean {
  const fits = (name: string, test: (wanted: string) => boolean) => filters.get(name)?.some(test) ?? true;
  const { id, attributes } = actor;
  return (
    fits("type", (wanted) => wanted === type) &&
    fits("scope", (wanted) => wanted === "local") &&
    // `exec_create: sh` is asked for as exec_create, `health_status: healthy` as health_status
    fits("event", (wanted) => wanted === action || action.startsWith(`${wanted}:`)) &&
    actorFilters.every((name) =>
      fits(name, (wanted) => id.startsWith(wanted) || (attributes["name"] ?? "").startsWith(wanted)),
    ) &&
    fits("image", (wanted) => {
      const name = (type === "image" ? attributes["name"] : attributes["image"]) ?? "";
      return [id, name, withoutTag(id), withoutTag(name)].includes(wanted);
    }) &&
    matchesLabels(attributes, filters.get("label"))
  );
}

function withoutTag(reference: string): string {
  return reference.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
}
