import type { MountRequest } from "@hawser/runtime";
import { httpFaults } from "../faults.ts";
import { boolean, type Codec, integer, list, map, omitEmpty, optional, record, string } from "./codec.ts";

type BindOptions = Exclude<MountRequest["bind"], undefined>;
type VolumeOptions = Exclude<MountRequest["volume"], undefined>;
type VolumeDriver = Exclude<VolumeOptions["driver"], undefined>;
type TmpfsOptions = Exclude<MountRequest["tmpfs"], undefined>;
type ImageOptions = Exclude<MountRequest["image"], undefined>;

const types = ["bind", "volume", "tmpfs", "image", "cluster", "npipe"] as const;

const mountType: Codec<MountRequest["type"]> = {
  decode: (value, path) => {
    const text = string.decode(value, path);
    const type = types.find((known) => known === text);
    if (type === undefined) throw httpFaults.MOUNT_TYPE_UNKNOWN(text);
    return type;
  },
  encode: (type) => type,
};

const bindOptions = record<BindOptions>({
  propagation: ["Propagation", optional(omitEmpty(string))],
  nonRecursive: ["NonRecursive", optional(omitEmpty(boolean))],
  createMountpoint: ["CreateMountpoint", optional(omitEmpty(boolean))],
  readOnlyNonRecursive: ["ReadOnlyNonRecursive", optional(omitEmpty(boolean))],
  readOnlyForceRecursive: ["ReadOnlyForceRecursive", optional(omitEmpty(boolean))],
  ownerBecomesUser: ["IDMap", optional(omitEmpty(boolean))], // Hawser's own
});

const volumeOptions = record<VolumeOptions>({
  noCopy: ["NoCopy", optional(omitEmpty(boolean))],
  labels: ["Labels", optional(omitEmpty(map(string)))],
  subpath: ["Subpath", optional(omitEmpty(string))],
  driver: [
    "DriverConfig",
    optional(
      record<VolumeDriver>({
        name: ["Name", omitEmpty(string)],
        options: ["Options", omitEmpty(map(string))],
      }),
    ),
  ],
});

const tmpfsOptions = record<TmpfsOptions>({
  sizeBytes: ["SizeBytes", optional(omitEmpty(integer))],
  mode: ["Mode", optional(omitEmpty(integer))],
  options: ["Options", optional(omitEmpty(list(list(string))))],
});

/** One of `HostConfig.Mounts` (`docker run --mount`). */
export const mountRequestCodec: Codec<MountRequest> = record<MountRequest>({
  type: ["Type", mountType],
  source: ["Source", omitEmpty(string)],
  target: ["Target", omitEmpty(string)],
  readOnly: ["ReadOnly", omitEmpty(boolean)],
  consistency: ["Consistency", optional(omitEmpty(string))],
  bind: ["BindOptions", optional(bindOptions)],
  volume: ["VolumeOptions", optional(volumeOptions)],
  image: [
    "ImageOptions",
    optional(record<ImageOptions>({ subpath: ["Subpath", optional(omitEmpty(string))] })),
  ],
  tmpfs: ["TmpfsOptions", optional(tmpfsOptions)],
});
