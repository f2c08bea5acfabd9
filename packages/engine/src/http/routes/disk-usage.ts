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

/** `GET /system/df`, and the prune of what no other route has. */
export function diskUsageRoutes(collaborators: Collaborators): Route[] {
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
        response.sendJson(200, {
          ...(usage.images && {
            LayersSize: usage.layersBytes,
            Images: usage.images.map((image) => ({
              ...formatImageSummary(image, {
                request,
                sharedBytes: sharedBytes(image, counts),
                useCount: images.useCount(image),
              }),
              Containers: images.useCount(image),
            })),
          }),
          ...(usage.containers && {
            Containers: usage.containers.map(({ container, size }) => ({
              ...formatSummary(container, { nowMs, mounts: formatMountPoints(container.record) }),
              ...formatSize(size),
            })),
          }),
          ...(usage.volumes && {
            Volumes: usage.volumes.map(({ volume, sizeBytes, useCount }) =>
              formatVolume(volume, {
                mountpoint: volumes.mountpointOf(volume),
                usage: { Size: sizeBytes, RefCount: useCount },
              }),
            ),
          }),
          ...(types.has("build-cache") && {
            BuildCache: request.atLeast("1.44") ? [] : null,
            BuilderSize: 0,
          }),
        });
      },
    },
    {
      // There is no build cache in this version: nothing of it is unused. `docker system prune` asks always.
      method: "POST",
      path: "/build/prune",
      async handler(_request, response) {
        response.sendJson(200, { CachesDeleted: null, SpaceReclaimed: 0 });
      },
    },
  ];
}

/** All, or from API 1.42 on those that `type` names. */
function readTypes(request: ApiRequest): ReadonlySet<UsageType> {
  const wanted = request.atLeast("1.42") ? request.query.texts("type") : [];
  if (wanted.length === 0) return new Set(usageTypes);
  const unknown = wanted.find((type) => !usageTypes.some((known) => known === type));
  if (unknown !== undefined) throw httpFaults.USAGE_TYPE_UNKNOWN(unknown);
  return new Set(usageTypes.filter((type) => wanted.includes(type)));
}
