import { parseByteSize } from "@hawser/base";
import { checkVolumeRequest } from "./check-volume-request.ts";
import { freeProject } from "./volume-quota.ts";
import { anonymousLabel, localDriver, type VolumeRecord } from "./volume-record.ts";

export interface VolumeRequest {
  /** Absent or empty: it is anonymous. */
  readonly name?: string;
  /** Absent or empty: that of the volume of this name, else the engine itself. */
  readonly driver?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
}

/**
 * The record that a request asks for.
 *
 * @param parts.existing records of the volumes that are there: a quota's project is none of theirs
 * @param parts.boundTo the container that it is made for; of account when the volume has no name
 * @throws {Fault} `invalid-argument`, Docker's words
 */
export function planVolume(
  request: VolumeRequest,
  parts: {
    readonly now: () => number;
    readonly randomBytes: (size: number) => Uint8Array;
    readonly existing: Iterable<VolumeRecord>;
    readonly boundTo?: string | undefined;
  },
): VolumeRecord {
  const anonymous = request.name === undefined || request.name === "";
  const name = anonymous ? Buffer.from(parts.randomBytes(32)).toString("hex") : request.name;
  checkVolumeRequest(name, request);
  const isLocal = !request.driver || request.driver === localDriver;
  const options = Object.entries(request.options ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const isBounded = isLocal && (parseByteSize(request.options?.["size"] ?? "") ?? 0) > 0;
  const labels = anonymous ? { ...request.labels, [anonymousLabel]: "" } : request.labels;
  return {
    name,
    createdAtMs: parts.now(),
    ...(!isLocal && { driver: request.driver }),
    ...(labels && { labels }),
    ...(options.length > 0 && { options: Object.fromEntries(options) }),
    anonymous,
    ...(isBounded && { project: freeProject(parts.existing) }),
    ...(parts.boundTo !== undefined && anonymous && { boundTo: parts.boundTo }),
  };
}
