import { parseFilters, type VolumeListResponse, type VolumePruneResponse } from "@hawser/api";
import { type DescribedVolume, describeVolume, describeVolumes } from "../../volumes/describe-volumes.ts";
import { cloneVolume, exportVolume, importVolume } from "../../volumes/volume-archives.ts";
import {
  matchPrunedVolumes,
  matchVolumes,
  volumeFilterNames,
  volumePruneFilterNames,
} from "../../volumes/volume-filter.ts";
import type { VolumePlugins } from "../../volumes/volume-plugins.ts";
import type { VolumeService } from "../../volumes/volume-service.ts";
import { readJsonBody } from "../request.ts";
import { sendAll } from "../response.ts";
import type { Route } from "../router.ts";
import { streamProgress } from "../stream-progress.ts";
import { formatVolumeCopy } from "../wire/transfer-progress.ts";
import { decodeVolumeRequest, formatVolume } from "../wire/volume.ts";

/** Everything about volumes. `export`, `import` and `clone` are Hawser's own. */
export function volumeRoutes(
  volumes: VolumeService,
  { now, plugins }: { readonly now: () => number; readonly plugins: VolumePlugins },
): Route[] {
  const format = (volume: DescribedVolume) => formatVolume(volume.record, volume);
  return [
    {
      method: "GET",
      path: "/volumes",
      async handler({ query }, response) {
        const filters = parseFilters(query.text("filters"), volumeFilterNames);
        const matches = matchVolumes(filters, (record) => volumes.usedBy(record).length > 0);
        const described = await describeVolumes(volumes, plugins);
        const found: VolumeListResponse = {
          Volumes: described.volumes.filter(({ record }) => matches(record)).map(format),
          Warnings: described.warnings.length === 0 ? null : described.warnings,
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
        const wanted = await readJsonBody(request, decodeVolumeRequest, { type: "volume.CreateOptions" });
        const events = cloneVolume(volumes, { source, wanted }, { signal: request.signal, now });
        await streamProgress(response, events, { format: formatVolumeCopy });
      },
    },
    {
      method: "GET",
      path: "/volumes/{name:.*}",
      async handler(request, response) {
        response.sendJson(200, format(await describeVolume(volumes, plugins, request.param("name"))));
      },
    },
    {
      method: "POST",
      path: "/volumes/create",
      async handler(request, response) {
        const wanted = await readJsonBody(request, decodeVolumeRequest, { type: "volume.CreateOptions" });
        using held = await volumes.ensure(wanted);
        response.sendJson(201, format(await describeVolume(volumes, plugins, held.record.name)));
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
