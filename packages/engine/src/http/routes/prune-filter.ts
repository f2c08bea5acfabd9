import { type Filters, matchesLabels, parseFilters } from "@hawser/api";
import { parseDuration } from "@hawser/base";
import type { Container } from "../../containers/container.ts";
import { httpFaults } from "../faults.ts";

/**
 * The `filters` of `POST /containers/prune`: `until` (older than that), `label`, `label!` (none of these).
 *
 * @param nowMs what a duration counts back from
 * @throws {Fault} `invalid-argument`
 */
export function parsePruneFilter(text: string | undefined, nowMs: number): (container: Container) => boolean {
  const matches = matchPruned(parseFilters(text, ["until", "label", "label!"]), nowMs);
  return ({ record }) => matches({ createdAtMs: record.createdAtMs, labels: record.config.labels });
}

/** The same for whatever has labels and an age. */
export function matchPruned(
  filters: Filters,
  nowMs: number,
): (thing: { readonly createdAtMs: number; readonly labels: Readonly<Record<string, string>> }) => boolean {
  const [until] = (filters.get("until") ?? []).map((value) => parseUntil(value, nowMs));
  const labels = filters.get("label");
  const unwanted = filters.get("label!") ?? [];
  return (thing) =>
    (until === undefined || thing.createdAtMs <= until) &&
    matchesLabels(thing.labels, labels) &&
    !unwanted.some((label) => matchesLabels(thing.labels, [label]));
}

/**
 * A Go duration, `1h30m`: that long ago; or seconds since 1970; or a date. In milliseconds since then.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseUntil(text: string, nowMs: number): number {
  const ago = parseDuration(text);
  if ("ns" in ago) return nowMs - ago.ns / 1e6;
  if (/^\d{1,12}(\.\d{0,9})?$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(date)) throw httpFaults.UNTIL_INVALID(text);
  return date;
}
