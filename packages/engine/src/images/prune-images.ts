import { type Filters, matchesLabels } from "@hawser/api";
import type { Image, RemovedItem } from "@hawser/store";
import { filterImages } from "./image-filter.ts";
import type { ImageService } from "./image-service.ts";

export const imagePruneFilterNames = ["dangling", "label", "label!", "until"] as const;

/**
 * Remove images that no container was made from: those without a name, or with `dangling=false` all.
 *
 * @throws {Fault} `invalid-argument`
 */
export async function pruneImages(
  images: ImageService,
  filters: Filters,
  nowMs: number,
): Promise<{ readonly removed: readonly RemovedItem[]; readonly reclaimedBytes: number }> {
  const unwanted = filters.get("label!") ?? [];
  const named = new Map([...filters].filter(([name]) => name !== "label!"));
  if (!named.has("dangling")) named.set("dangling", ["true"]);
  const isAll = ["0", "f", "F", "false", "FALSE", "False"].includes(named.get("dangling")?.[0] ?? "");
  if (isAll) named.delete("dangling");
  const found = filterImages(images.list(), named, { resolve: (name) => images.resolve(name), nowMs });
  const before = layerSizes(images.list());
  const removed: RemovedItem[] = [];
  for (const image of found) {
    if (images.useCount(image) > 0) continue;
    if (unwanted.some((label) => matchesLabels(image.config.execution.labels, [label]))) continue;
    removed.push(...(await images.remove(image.id, { force: true })));
  }
  const after = layerSizes(images.list());
  let reclaimedBytes = 0;
  for (const [chainId, sizeBytes] of before) if (!after.has(chainId)) reclaimedBytes += sizeBytes;
  images.publishPrune(reclaimedBytes);
  return { removed, reclaimedBytes };
}

/** Of all images' layers, each once. */
export function layerSizes(images: readonly Image[]): ReadonlyMap<string, number> {
  return new Map(
    images.flatMap(({ layers }) => layers.map(({ chainId, sizeBytes }) => [chainId, sizeBytes] as const)),
  );
}
