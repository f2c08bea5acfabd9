import { parseFilters, type VolumeListResponse, type VolumePruneResponse } from "@hawser/api";
import {
  matchPrunedVolumes,
  matchVolumes,
  volumeFilterNames,
  volumePruneFilterNames,
} from "../../volumes/volume-filter.ts";
import type { VolumeRecord } from "../../volumes/volume-record.ts";
import type { VolumeService } from "../../volumes/volume-service.ts";
import { readJsonBody } from "../request.ts";
import type { Route } from "../router.ts";
import { decodeVolumeRequest, formatVolume } from "../wire/volume.ts";

/** Everything about volumes. */
export function volumeRoutes(volumes: VolumeService): Route[] {
  const format = (record: VolumeRecord) => formatVolume(record, { mountpoint: volumes.mountpointOf(record) });
  return [
    {
      method: "GET",
      path: "/volumes",
      handler({ query }, response) {
        const filters = parseFilters(query.text("filters"), volumeFilterNames);
        const matches = matchVolumes(filters, (record) => volumes.usedBy(record).length > 0);
        const found: VolumeListResponse = {
          Volumes: volumes.list().filter(matches).map(format),
          Warnings: null,
        };
        response.sendJson(200, found);
      },
    },
    {
      method: "GET",
      path: "/volumes/{name:.*}",
      handler(request, response) {
        response.sendJson(200, format(volumes.get(request.param("name"))));
      },
    },
    {
      method: "POST",
      path: "/volumes/create",
      async handler(request, response) {
        const wanted = await readJsonBody(request, decodeVolumeRequest);
        response.sendJson(201, format(volumes.create(wanted)));
      },
    },
    {
      method: "POST",
      path: "/volumes/prune",
      async handler(request, response) {
        const filters = parseFilters(request.query.text("filters"), volumePruneFilterNames);
        const matches = matchPrunedVolumes(filters, { onlyAnonymous: request.atLeast("1.42") });
        const { names, reclaimedBytes } = await volumes.prune(matches);
        const pruned: VolumePruneResponse = { VolumesDeleted: names, SpaceReclaimed: reclaimedBytes };
        response.sendJson(200, pruned);
      },
    },
    {
      method: "DELETE",
      path: "/volumes/{name:.*}",
      async handler(request, response) {
        await volumes.remove(request.param("name"), { force: request.query.flag("force") });
        response.sendEmpty(204);
      },
    },
  ];
}
