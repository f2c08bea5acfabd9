import type { BuildCacheRecord } from "@hawser/api";
import type { BuildService } from "../../builds/build-service.ts";
import type { KeptRecord } from "../../builds/kept-records.ts";
import type { Collaborators } from "../../containers/collaborators.ts";
import { measureDisk, type UsageType } from "../../system/disk-usage.ts";
import { httpFaults } from "../faults.ts";
import type { ApiRequest } from "../request.ts";
import type { Route } from "../router.ts";
import { formatMountPoints, formatSize } from "../wire/container-storage.ts";
import { formatSummary } from "../wire/container-summary.ts";
import { formatImageSummary } from "../wire/image.ts";
import { formatVolume } from "../wire/volume.ts";
import { countLayers, sharedBytes } from "./images.ts";

const usageTypes: readonly UsageType[] = ["container", "image", "volume", "build-cache"];

/** `GET /system/df`. */
export function diskUsageRoutes(collaborators: Collaborators, builds: Pick<BuildService, "kept">): Route[] {
  const { images, volumes, host } = collaborators;
  return [
    {
      method: "GET",
      path: "/system/df",
      async handler(request, response) {
        const types = readTypes(request);
        const usage = await measureDisk(collaborators, types, { signal: request.signal });
        const counts = countLayers(usage.images ?? []);
        const nowMs = host.now();
        const kept = types.has("build-cache") ? builds.kept() : undefined;
        const builderBytes = (kept ?? []).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        response.sendJson(200, {
          LayersSize: usage.images === undefined ? 0 : usage.layersBytes,
          Images:
            usage.images?.map((image) => ({
              ...formatImageSummary(image, {
                request,
                sharedBytes: sharedBytes(image, counts),
                useCount: images.useCount(image),
              }),
              Containers: images.useCount(image),
              RepoDigests: image.repoDigests.length === 0 ? null : image.repoDigests,
            })) ?? null,
          Containers:
            usage.containers?.map(({ container, size }) => ({
              ...formatSummary(container, { nowMs, mounts: formatMountPoints(container.record) }),
              ...formatSize(size),
            })) ?? null,
          Volumes:
            usage.volumes?.map(({ volume, sizeBytes, useCount }) =>
              formatVolume(volume, {
                mountpoint: volume.driver === undefined ? volumes.mountpointOf(volume) : "",
                usage: { Size: sizeBytes, RefCount: useCount },
              }),
            ) ?? null,
          BuildCache: kept?.map(formatRecord) ?? null,
          ...(builderBytes > 0 && { BuilderSize: builderBytes }),
        });
      },
    },
  ];
}

function formatRecord(record: KeptRecord): BuildCacheRecord {
  return {
    ID: record.key,
    Type: "regular",
    Description: record.description,
    InUse: record.isInUse,
    Shared: record.isShared,
    Size: record.sizeBytes,
    CreatedAt: new Date(record.createdAtMs).toISOString(),
    LastUsedAt: new Date(record.lastUsedMs).toISOString(),
    UsageCount: record.useCount,
  };
}

/** All, or from API 1.42 on those that `type` names. */
function readTypes(request: ApiRequest): ReadonlySet<UsageType> {
  const wanted = request.atLeast("1.42") ? request.query.texts("type") : [];
  if (wanted.length === 0) return new Set(usageTypes);
  const unknown = wanted.find((type) => !usageTypes.some((known) => known === type));
  if (unknown !== undefined) throw httpFaults.USAGE_TYPE_UNKNOWN(unknown);
  return new Set(usageTypes.filter((type) => wanted.includes(type)));
}
