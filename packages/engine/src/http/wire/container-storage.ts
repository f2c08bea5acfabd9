import type { ContainerInspect, MountPoint } from "@hawser/api";
import type { OverlayMount } from "@hawser/store";
import type { ContainerRecord } from "../../containers/container-record.ts";
import type { ContainerSize } from "../../containers/measure.ts";
import { mountsOf } from "../../containers/plan-mounts.ts";
import { localDriver } from "../../volumes/volume-record.ts";

/** What a container mounts, as inspect and list show it. */
export function formatMountPoints(record: ContainerRecord): MountPoint[] {
  const mounts = mountsOf(record).map(
    ({ type, source, target, mode, readOnly, propagation, volume, image }): MountPoint => ({
      Type: type,
      ...(volume && { Name: volume.name }),
      ...(image && { Name: source }),
      Source: source,
      Destination: target,
      ...(volume && { Driver: volume.driver ?? localDriver }),
      Mode: mode,
      RW: !readOnly,
      Propagation: volume === undefined ? propagation : "",
    }),
  );
  const tmpfs = record.hostConfig.mounts
    .filter(({ type }) => type === "tmpfs")
    .map(
      ({ type, target, readOnly }): MountPoint => ({
        Type: type,
        Source: "",
        Destination: target,
        Mode: "",
        RW: !readOnly,
        Propagation: "",
      }),
    );
  return [...mounts, ...tmpfs];
}

/** Where a container's file system lies, in the fields of Docker's overlay2 driver. */
export function formatGraphDriver(id: string, overlay: OverlayMount): ContainerInspect["GraphDriver"] {
  return {
    Name: "overlay2",
    Data: {
      ID: id,
      LowerDir: overlay.lower.join(":"),
      UpperDir: overlay.upper,
      WorkDir: overlay.work,
    },
  };
}

/** What `size=1` adds to a container, in list and inspect. */
export function formatSize({ ownBytes, totalBytes }: ContainerSize): {
  readonly SizeRw: number;
  readonly SizeRootFs: number;
} {
  return { SizeRw: ownBytes, SizeRootFs: totalBytes };
}
