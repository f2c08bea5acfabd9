import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { StatusResponse } from "./generated/control_pb.ts";

/** A piece of what a build tells, as buildx' `--progress rawjson` writes it, a line each (BuildKit's `client.SolveStatus` as JSON). */
export type RawStatus = Readonly<Record<"vertexes" | "statuses" | "logs" | "warnings", unknown>>;

/** Empty fields are left out when this becomes JSON, as Go does. */
export function rawStatus({ vertexes, statuses, logs, warnings }: StatusResponse): RawStatus {
  return {
    vertexes: some(
      vertexes.map(({ digest, inputs, name, started, completed, cached, error }) => ({
        digest,
        inputs: some(inputs),
        name,
        started: timeOf(started),
        completed: timeOf(completed),
        cached: cached || undefined,
        error: error || undefined,
      })),
    ),
    statuses: some(
      statuses.map(({ id, vertex, name, total, current, timestamp, started, completed }) => ({
        id,
        vertex,
        name: name || undefined,
        total: Number(total) || undefined,
        current: Number(current),
        timestamp: timeOf(timestamp),
        started: timeOf(started),
        completed: timeOf(completed),
      })),
    ),
    logs: some(
      logs.map(({ vertex, stream, msg, timestamp }) => ({
        vertex,
        stream: Number(stream) || undefined,
        data: base64(msg),
        timestamp: timeOf(timestamp),
      })),
    ),
    warnings: some(
      warnings.map(({ vertex, level, short, detail, url, info, ranges }) => ({
        vertex,
        level: Number(level) || undefined,
        short: base64(short),
        detail: detail.map(base64),
        url: url || undefined,
        sourceInfo: info && { Filename: info.filename, Data: base64(info.data), Language: info.language },
        range: ranges.map(({ start, end }) => ({ start: placeOf(start), end: placeOf(end) })),
      })),
    ),
  };
}

function some<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function timeOf(time: Parameters<typeof timestampDate>[0] | undefined): string | undefined {
  return time && timestampDate(time).toISOString();
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function placeOf(place: { readonly line: number; readonly character: number } | undefined) {
  return place && { line: place.line, character: place.character };
}
