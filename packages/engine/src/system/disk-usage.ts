import type { Image } from "@hawser/store";
import type { Collaborators } from "../containers/collaborators.ts";
import type { Container } from "../containers/container.ts";
import { type ContainerSize, measureContainer } from "../containers/measure.ts";
import { layerSizes } from "../images/prune-images.ts";
import type { VolumeRecord } from "../volumes/volume-record.ts";

export type UsageType = "container" | "image" | "volume" | "build-cache";

/** What takes room on the disk. What was not asked for is absent. */
export interface DiskUsage {
  readonly layersBytes?: number;
  readonly images?: readonly Image[];
  readonly containers?: readonly { readonly container: Container; readonly size: ContainerSize }[];
  readonly volumes?: readonly {
    readonly volume: VolumeRecord;
    readonly sizeBytes: number;
    readonly useCount: number;
  }[];
}

/** Measure everything of the wanted types: layers and files counted once, however many have them. */
export async function measureDisk(
  collaborators: Collaborators,
  types: ReadonlySet<UsageType>,
  options: { readonly signal: AbortSignal },
): Promise<DiskUsage> {
  const { images, index, volumes } = collaborators;
  const all = images.list();
  const containers: { container: Container; size: ContainerSize }[] = [];
  for (const container of types.has("container") ? index.list() : []) {
    options.signal.throwIfAborted();
    containers.push({ container, size: await measureContainer(collaborators, container) });
  }
  const measured: { volume: VolumeRecord; sizeBytes: number; useCount: number }[] = [];
  for (const volume of types.has("volume") ? volumes.list() : []) {
    const sizeBytes = await volumes.measure(volume, options);
    measured.push({ volume, sizeBytes, useCount: volumes.usedBy(volume).length });
  }
  return {
    ...(types.has("image") && {
      images: all,
      layersBytes: layerSizes(all)
        .values()
        .reduce((sum, sizeBytes) => sum + sizeBytes, 0),
    }),
    ...(types.has("container") && { containers }),
    ...(types.has("volume") && { volumes: measured }),
  };
}
