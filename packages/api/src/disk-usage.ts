import type { ContainerSummary } from "./containers.ts";
import type { ImageSummary } from "./images.ts";
import type { Volume } from "./volumes.ts";

/** `GET /system/df`. What was not asked for is absent or `null`. */
export interface DiskUsageResponse {
  readonly LayersSize?: number;
  readonly Images?: readonly ImageSummary[] | null;
  readonly Containers?: readonly ContainerSummary[] | null;
  readonly Volumes?: readonly Volume[] | null;
  readonly BuildCache?: readonly BuildCacheRecord[] | null;
}

/** One record of the build cache. */
export interface BuildCacheRecord {
  readonly ID: string;
  readonly Parents?: readonly string[] | null;
  readonly Type: string;
  readonly Description: string;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
  /** RFC 3339. */
  readonly CreatedAt: string;
  readonly LastUsedAt?: string | null;
  readonly UsageCount: number;
}

/** `POST /build/prune`. */
export interface BuildPruneResponse {
  readonly CachesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
