import type { EngineEvent } from "../../events/event-bus.ts";

/**
 * An event as one line of `GET /events`. Before API 1.52 with the fields of old, without which clients of old fail.
 * Text rather than an `EventMessage`, since its nanoseconds are more than a double holds.
 */
export function formatEventLine({ type, action, actor, timeNs }: EngineEvent, legacy: boolean): string {
  const fields: [string, unknown][] = [];
  if (legacy && (type === "container" || type === "image")) {
    fields.push(["status", action], ["id", actor.id]);
    if (type === "container") fields.push(["from", actor.attributes["image"] ?? ""]);
  }
  fields.push(
    ["Type", type],
    ["Action", action],
    ["Actor", { ID: actor.id, Attributes: actor.attributes }],
    ["scope", "local"],
    ["time", Number(timeNs / 1_000_000_000n)],
  );
  const text = JSON.stringify(Object.fromEntries(fields));
  return `${text.slice(0, -1)},"timeNano":${timeNs}}\n`;
}
