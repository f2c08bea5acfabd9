import { type Filters, parseFilters } from "@hawser/api";
import { Fault, goQuote } from "@hawser/base";
import type { PruneCandidate, PruneRoom } from "../../builds/select-pruned.ts";
import { httpFaults } from "../faults.ts";
import type { ApiRequest } from "../request.ts";
import { parseUntil } from "./prune-filter.ts";

const filterNames = [
  "until",
  "id",
  "unused-for",
  "type",
  "inuse",
  "shared",
  "private",
  "description",
  "parent",
] as const;

/**
 * What `POST /build/prune` asks for.
 *
 * @param nowMs what a duration counts back from
 * @throws {Fault} `invalid-argument` in Docker's words
 */
export function readBuildPrune(
  request: Pick<ApiRequest, "query" | "atLeast">,
  nowMs: number,
): { readonly wanted: (candidate: PruneCandidate) => boolean; readonly room: PruneRoom } {
  const room = readRoom(request);
  const all = request.query.flag("all");
  try {
    const matches = matchCandidates(parseFilters(request.query.text("filters"), filterNames), nowMs);
    return { wanted: (candidate) => (all || !candidate.isShared) && matches(candidate), room };
  } catch (error) {
    if (Fault.is(error) && error.code === "FILTERS_INVALID") throw error; // before the builder is asked
    throw httpFaults.BUILD_PRUNE(Fault.from(error).message).because(error);
  }
}

function matchCandidates(filters: Filters, nowMs: number): (candidate: PruneCandidate) => boolean {
  const valueOf = (name: (typeof filterNames)[number]) => {
    const [value, another] = filters.get(name) ?? [];
    if (another !== undefined) throw httpFaults.FILTER_SINGLE();
    return value;
  };
  const ageOf = (name: "until" | "unused-for") => {
    const text = valueOf(name);
    return text === undefined ? undefined : parseMoment(name, { text, nowMs });
  };
  const [until, unusedFor] = [ageOf("until"), ageOf("unused-for")];
  if (until !== undefined && unusedFor !== undefined)
    throw httpFaults.FILTERS_CONFLICT("until", "unused-for");
  const latestUseMs = until ?? unusedFor;
  const is = (name: (typeof filterNames)[number], fits: (value: string) => boolean) => {
    const value = valueOf(name);
    return value === undefined || fits(value);
  };
  const matches = ({ id, type, description, isInUse, isShared, lastUsedMs }: PruneCandidate) =>
    (latestUseMs === undefined || lastUsedMs <= latestUseMs) &&
    is("id", (value) => id.includes(value)) &&
    is("type", (value) => type === value) &&
    is("description", (value) => description === value) &&
    is("inuse", (value) => String(isInUse) === (value || "true")) &&
    is("shared", (value) => String(isShared) === (value || "true")) &&
    is("private", (value) => String(!isShared) === (value || "true")) &&
    // No result tells which others it was made of.
    is("parent", () => false);
  for (const name of filterNames) valueOf(name); // refused also where there is nothing to match
  return matches;
}

function parseMoment(
  name: string,
  { text, nowMs }: { readonly text: string; readonly nowMs: number },
): number {
  try {
    return parseUntil(text, nowMs);
  } catch (error) {
    throw httpFaults.FILTER_MOMENT(name, Fault.from(error).message).because(error);
  }
}

/** Before API 1.48 there was `keep-storage` alone, which is the older name of `reserved-space`. */
function readRoom(request: Pick<ApiRequest, "query" | "atLeast">): PruneRoom {
  const bytesOf = (name: string) => parseBytes(name, request.query.text(name) ?? "");
  if (!request.atLeast("1.48")) {
    return { reservedBytes: bytesOf("keep-storage"), maxUsedBytes: 0, minFreeBytes: 0 };
  }
  return {
    reservedBytes: bytesOf("reserved-space") || bytesOf("keep-storage"),
    maxUsedBytes: bytesOf("max-used-space"),
    minFreeBytes: bytesOf("min-free-space"),
  };
}

function parseBytes(name: string, text: string): number {
  if (text === "") return 0;
  const isNumber = /^[+-]?\d+$/.test(text);
  if (isNumber && Math.abs(Number(text)) < 2 ** 63) return Number(text);
  const why = isNumber ? "value out of range" : "invalid syntax";
  throw httpFaults.BUILD_PRUNE_BYTES(name, { text, why: `strconv.Atoi: parsing ${goQuote(text)}: ${why}` });
}
