import { type Filters, matchesLabels } from "@hawser/api";
import { parseGoBool } from "@hawser/base";
import { networkServiceFaults } from "./faults.ts";
import { isPredefined, type NetworkRecord } from "./network-record.ts";

export const networkFilterNames = ["dangling", "driver", "id", "label", "name", "scope", "type"] as const;
export const networkPruneFilterNames = ["label", "label!", "until"] as const;

/**
 * `GET /networks`' filters: all names must hold, any value of a name is enough (of `label`, all). Names and ids are found by
 * any part of them.
 *
 * @throws {Fault} `invalid-argument`
 */
export function matchNetworks(
  filters: Filters,
  isUsed: (record: NetworkRecord) => boolean,
): (record: NetworkRecord) => boolean {
  const dangling = parseDangling(filters.get("dangling"));
  const types = filters.get("type") ?? [];
  for (const type of types) {
    if (type !== "custom" && type !== "builtin") throw networkServiceFaults.FILTER_TYPE(type);
  }
  const fits = (name: string, test: (wanted: string) => boolean) => filters.get(name)?.some(test) ?? true;
  return (record) =>
    (dangling === undefined || dangling === (!isPredefined(record.name) && !isUsed(record))) &&
    fits("driver", (wanted) => record.driver === wanted) &&
    fits("id", (wanted) => record.id.includes(wanted)) &&
    fits("name", (wanted) => record.name.includes(wanted)) &&
    fits("scope", (wanted) => wanted === "local") &&
    fits("type", (wanted) => (wanted === "builtin") === isPredefined(record.name)) &&
    matchesLabels(record.labels, filters.get("label"));
}

function parseDangling(values: readonly string[] | undefined): boolean | undefined {
  const [value] = values ?? [];
  if (value === undefined) return undefined;
  const parsed = parseGoBool(value);
  if (parsed === undefined) throw networkServiceFaults.FILTER_DANGLING();
  return parsed;
}
