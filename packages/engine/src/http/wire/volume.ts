import type { Volume } from "@hawser/api";
import type { VolumeRequest } from "../../volumes/plan-volume.ts";
import { localDriver, type VolumeRecord } from "../../volumes/volume-record.ts";
import { map, optional, record, string } from "./codec.ts";
import { formatTime } from "./container-inspect.ts";

/** The body of `POST /volumes/create`. */
export const decodeVolumeRequest = record<VolumeRequest>({
  name: ["Name", optional(string)],
  driver: ["Driver", optional(string)],
  labels: ["Labels", optional(map(string))],
  options: ["DriverOpts", optional(map(string))],
}).decode;

/** A volume as inspect and list show it; `usage` only where the sizes were asked for. */
export function formatVolume(
  volume: VolumeRecord,
  facts: {
    readonly mountpoint: string;
    readonly isGlobal?: boolean;
    readonly status?: Volume["Status"];
    readonly usage?: Volume["UsageData"];
  },
): Volume {
  return {
    CreatedAt: formatTime(Math.floor(volume.createdAtMs / 1000) * 1000),
    Driver: volume.driver ?? localDriver,
    Labels: volume.labels ?? null,
    Mountpoint: facts.mountpoint,
    Name: volume.name,
    Options: volume.options ?? null,
    Scope: facts.isGlobal === true ? "global" : "local",
    ...(facts.status && { Status: facts.status }),
    ...(facts.usage && { UsageData: facts.usage }),
  };
}
