import { parseFilters, type VolumeListResponse, type VolumePruneResponse } from "@hawser/api";
import { cloneVolume, exportVolume, importVolume } from "../../volumes/volume-archives.ts";
import {
  matchPrunedVolumes,
  matchVolumes,
  volumeFilterNames,
  volumePruneFilterNames,
} from "../../volumes/volume-filter.ts";
import type { VolumeRecord } from "../../volumes/volume-record.ts";
import type { VolumeService } from "../../volumes/volume-service.ts";
import { readJsonBody } from "../request.ts";
import { sendAll } from "../response.ts";
import type { Route } from "../router.ts";
import { streamProgress } from "../stream-progress.ts";
import { formatVolumeCopy } from "../wire/transfer-progress.ts";
import { decodeVolumeRequest, formatVolume } from "../wire/volume.ts";

/** Everything about volumes. `export`, `import` and `clone` are Hawser's own. */
export function volumeRoutes(volumes: VolumeService, { now }: { readonly now: () => number }): Route[] {
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
      path: "/volumes/{name}/export",
      async handler(request, response) {
        const { signal } = request;
        const send = (archive: AsyncIterable<Uint8Array>) =>
          sendAll(response.openStream(200, { contentType: "application/x-tar" }), archive);
        await exportVolume(volumes, volumes.get(request.param("name")), send, { signal });
      },
    },
    {
      method: "POST",
      path: "/volumes/{name}/import",
      async handler(request, response) {
        const { query, signal } = request;
        const events = importVolume(
          volumes,
          {
            wanted: { name: request.param("name"), labels: parseLabels(query.texts("label")) },
            archive: request.body,
            totalBytes: request.body.remainingBytes ?? 0,
            merge: query.flag("merge"),
          },
          { signal, now },
        );
        await streamProgress(response, events, { format: formatVolumeCopy });
      },
    },
    {
      method: "POST",
      path: "/volumes/{name}/clone",
      async handler(request, response) {
        const source = volumes.get(request.param("name"));
        const wanted = await readJsonBody(request, decodeVolumeRequest);
        const events = cloneVolume(volumes, { source, wanted }, { signal: request.signal, now });
        await streamProgress(response, events, { format: formatVolumeCopy });
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

function parseLabels(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text): [string, string] => {
      const at = text.indexOf("=");
      return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
