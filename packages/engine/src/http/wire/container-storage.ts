import type { ContainerInspect, MountPoint } from "@hawser/api";
import { parseBind } from "@hawser/runtime";
import type { OverlayMount } from "@hawser/store";
import type { ContainerRecord } from "../../containers/container-record.ts";
import type { ContainerSize } from "../../containers/measure.ts";

/** The host folders that a container sees, as inspect and list show them. */
export function formatMountPoints({ hostConfig }: ContainerRecord): MountPoint[] {
  const binds = hostConfig.binds.map((text): MountPoint => {
    const { source, target, readOnly, propagation } = parseBind(text);
    return {
      Type: "bind",
      Source: source,
      Destination: target,
      Mode: text.split(":").slice(2).join(":"),
      RW: !readOnly,
      Propagation: propagation,
    };
  });
  const mounts = hostConfig.mounts.map(
    (mount): MountPoint => ({
      Type: mount.type,
      Source: mount.source,
      Destination: mount.target,
      Mode: "",
      RW: !mount.readOnly,
      Propagation: mount.type === "bind" ? mount.bind?.propagation || "rprivate" : "",
    }),
  );
  return [...binds, ...mounts];
}

/** Where a container's file system lies, in the fields of Docker's overlay2 driver. */
export function formatGraphDriver(overlay: OverlayMount): ContainerInspect["GraphDriver"] {
  return {
    Name: "overlay2",
    Data: {
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
