import { type Filters, matchesLabels } from "@hawser/api";
import { parseGoBool } from "@hawser/base";
import { volumeFaults } from "./faults.ts";
import { localDriver, type VolumeRecord } from "./volume-record.ts";

export const volumeFilterNames = ["dangling", "driver", "label", "name"] as const;
export const volumePruneFilterNames = ["all", "label", "label!"] as const;

/**
 * `GET /volumes`' filters: all names must hold, any value of a name is enough (of `label`, all).
 *
 * @throws {Fault} `invalid-argument`
 */
export function matchVolumes(
  filters: Filters,
  isUsed: (record: VolumeRecord) => boolean,
): (record: VolumeRecord) => boolean {
  const dangling = parseBoolean("dangling", filters.get("dangling"));
  const drivers = filters.get("driver");
  const names = filters.get("name");
  return (record) =>
    (dangling === undefined || dangling === !isUsed(record)) &&
    (drivers === undefined || drivers.includes(record.driver ?? localDriver)) &&
    (names === undefined || names.some((name) => record.name.includes(name))) &&
    matchesLabels(record.labels ?? {}, filters.get("label"));
}

/**
 * `POST /volumes/prune`'s filters. @param options.onlyAnonymous what holds without `all`: from API 1.42 on
 *
 * @throws {Fault} `invalid-argument`
 */
export function matchPrunedVolumes(
  filters: Filters,
  options: { readonly onlyAnonymous: boolean },
): (record: VolumeRecord) => boolean {
  const all = parseBoolean("all", filters.get("all")) ?? !options.onlyAnonymous;
  const kept = filters.get("label!") ?? [];
  return ({ anonymous, labels = {}, options, driver }) =>
    (all || anonymous) &&
    options === undefined && // it stands for something that is not ours
    driver === undefined &&
    matchesLabels(labels, filters.get("label")) &&
    !kept.some((label) => matchesLabels(labels, [label]));
}

function parseBoolean(name: string, values: readonly string[] | undefined): boolean | undefined {
  const [value] = values ?? [];
  if (value === undefined) return undefined;
  const parsed = parseGoBool(value);
  if (parsed === undefined) throw volumeFaults.FILTER_VALUE(name, value);
  return parsed;
}
