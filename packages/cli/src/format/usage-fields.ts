import type { BuildCacheRecord, DiskUsageResponse, Volume } from "@hawser/api";
import { formatGoTimestamp } from "./go-time.ts";
import { formatHumanDuration, formatHumanSize, formatTableSize } from "./humanize.ts";
import type { ListLayout } from "./list-format.ts";

/** One line of `system df`. */
export interface UsageRow {
  readonly type: string;
  /** As templates that fail name it. */
  readonly typeName: string;
  readonly total: number;
  readonly active: number;
  readonly sizeBytes: number;
  readonly reclaimableBytes: number;
  /** The share that can come free is told, too. */
  readonly hasShare: boolean;
}

/** What takes room on the engine's disk, a line for each kind of thing. */
export function usageRows(usage: DiskUsageResponse): readonly UsageRow[] {
  return [imagesRow(usage), containersRow(usage), volumesRow(usage), buildCacheRow(usage)];
}

function imagesRow({ Images, LayersSize = 0 }: DiskUsageResponse): UsageRow {
  const images = Images ?? [];
  const used = images.filter(({ Containers }) => Containers > 0);
  // What an image that is in use, or may be, has for itself stays; shared layers are taken as free, as Docker does.
  const keptBytes = sum(
    images
      .filter(({ Containers }) => Containers !== 0)
      .filter(({ Size, SharedSize }) => Size !== -1 && SharedSize !== -1)
      .map(({ Size, SharedSize }) => Size - SharedSize),
  );
  return {
    type: "Images",
    typeName: "*formatter.diskUsageImagesContext",
    total: images.length,
    active: used.length,
    sizeBytes: LayersSize,
    reclaimableBytes: LayersSize - keptBytes,
    hasShare: true,
  };
}

function containersRow({ Containers }: DiskUsageResponse): UsageRow {
  const containers = Containers ?? [];
  const isActive = (state: string) => ["running", "paused", "restarting"].includes(state);
  const idle = containers.filter(({ State }) => !isActive(State));
  return {
    type: "Containers",
    typeName: "*formatter.diskUsageContainersContext",
    total: containers.length,
    active: containers.length - idle.length,
    sizeBytes: sum(containers.map(({ SizeRw = 0 }) => SizeRw)),
    reclaimableBytes: sum(idle.map(({ SizeRw = 0 }) => SizeRw)),
    hasShare: true,
  };
}

function volumesRow({ Volumes }: DiskUsageResponse): UsageRow {
  const volumes = Volumes ?? [];
  const used = (volume: Volume) => (volume.UsageData?.RefCount ?? 0) > 0;
  const bytes = (volume: Volume) => Math.max(0, volume.UsageData?.Size ?? 0);
  return {
    type: "Local Volumes",
    typeName: "*formatter.diskUsageVolumesContext",
    total: volumes.length,
    active: volumes.filter(used).length,
    sizeBytes: sum(volumes.map(bytes)),
    reclaimableBytes: sum(volumes.filter((volume) => !used(volume)).map(bytes)),
    hasShare: true,
  };
}

function buildCacheRow({ BuildCache }: DiskUsageResponse): UsageRow {
  const records = BuildCache ?? [];
  const own = records.filter(({ Shared }) => !Shared);
  return {
    type: "Build Cache",
    typeName: "*formatter.diskUsageBuilderContext",
    total: records.length,
    active: records.filter(({ InUse }) => InUse).length,
    sizeBytes: sum(own.map(({ Size }) => Size)),
    reclaimableBytes: sum(own.filter(({ InUse }) => !InUse).map(({ Size }) => Size)),
    hasShare: false,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** What `system df` can show, with Docker's names and headers. */
export const usageLayout: ListLayout<UsageRow> = {
  fields: {
    Type: { header: "TYPE", value: ({ type }) => type },
    TotalCount: { header: "TOTAL", value: ({ total }) => String(total) },
    Active: { header: "ACTIVE", value: ({ active }) => String(active) },
    Size: { header: "SIZE", value: ({ sizeBytes }) => formatHumanSize(sizeBytes) },
    Reclaimable: {
      header: "RECLAIMABLE",
      value: ({ reclaimableBytes, sizeBytes, hasShare }) => {
        const size = formatHumanSize(reclaimableBytes);
        if (!hasShare || sizeBytes === 0) return size;
        return `${size} (${Math.trunc((reclaimableBytes * 100) / sizeBytes)}%)`;
      },
    },
  },
  typeName: ({ typeName }) => typeName,
  table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
  raw: "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n",
};

/** The build cache's records, as `system df -v` shows them. */
export function buildCacheLayout(options: {
  readonly truncate: boolean;
  readonly now: Date;
}): ListLayout<BuildCacheRecord> {
  const since = (text: string | null | undefined) => {
    const seconds = (options.now.getTime() - Date.parse(text ?? "")) / 1000;
    return Number.isNaN(seconds) ? "" : `${formatHumanDuration(seconds)} ago`;
  };
  return {
    fields: {
      ID: {
        header: "CACHE ID",
        value: ({ ID, InUse }) => `${options.truncate ? ID.slice(0, 12) : ID}${InUse ? "*" : ""}`,
      },
      Parent: { header: "PARENT", value: ({ Parents }) => (Parents ?? []).join(", ") },
      CacheType: { header: "CACHE TYPE", value: ({ Type }) => Type },
      Description: { header: "DESCRIPTION", value: ({ Description }) => Description },
      Size: { header: "SIZE", value: ({ Size }) => formatTableSize(Size) },
      CreatedAt: { header: "CREATED AT", value: ({ CreatedAt }) => formatGoTimestamp(CreatedAt ?? "") },
      CreatedSince: { header: "CREATED", value: ({ CreatedAt }) => since(CreatedAt) },
      LastUsedAt: { header: "LAST USED AT", value: ({ LastUsedAt }) => formatGoTimestamp(LastUsedAt ?? "") },
      LastUsedSince: { header: "LAST USED", value: ({ LastUsedAt }) => since(LastUsedAt) },
      UsageCount: { header: "USAGE", value: ({ UsageCount }) => String(UsageCount) },
      InUse: { header: "IN USE", value: ({ InUse }) => String(InUse) },
      Shared: { header: "SHARED", value: ({ Shared }) => String(Shared) },
    },
    typeName: "*formatter.buildCacheContext",
    table:
      "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}",
  };
}
