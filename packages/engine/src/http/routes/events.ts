import { parseFilters } from "@hawser/api";
import { clientStartNs } from "../../events/client-start.ts";
import type { EventBus } from "../../events/event-bus.ts";
import { eventFilterNames, matchesEvent } from "../../events/event-filter.ts";
import { httpFaults } from "../faults.ts";
import type { ApiRequest } from "../request.ts";
import type { Route } from "../router.ts";
import { parseTimestamp } from "../timestamp.ts";
import { formatEventLine } from "../wire/event-message.ts";

const startOf = (request: ApiRequest) =>
  clientStartNs(request.header("user-agent") ?? "", request.peer, Date.now());

/** `GET /events`: what happened since, and what happens, until the client or `until` ends it. */
export function eventRoutes(events: EventBus): Route[] {
  return [
    {
      method: "GET",
      path: "/events",
      async handler(request, response) {
        const { query, signal } = request;
        const sinceNs = parseTimestamp(query.text("since"));
        const untilNs = parseTimestamp(query.text("until")) || undefined;
        const filters = parseFilters(query.text("filters"), eventFilterNames);
        if (sinceNs !== undefined && untilNs !== undefined && sinceNs > untilNs) {
          throw httpFaults.SINCE_AFTER_UNTIL(query.text("since") ?? "", query.text("until") ?? "");
        }
        const fromNs = sinceNs ?? (untilNs === undefined ? startOf(request) : undefined);
        const subscription = events.subscribe({
          ...(fromNs !== undefined && { sinceNs: fromNs }),
          ...(untilNs !== undefined && { untilNs }),
          matches: (event) => matchesEvent(filters, event),
          signal,
        });
        const legacy = !request.atLeast("1.52");
        const stream = response.openStream(200, { contentType: "application/json" });
        for await (const event of subscription) await stream.write(formatEventLine(event, legacy));
        stream.end();
      },
    },
  ];
}
