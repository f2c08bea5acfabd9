import type { Collaborators } from "../../containers/collaborators.ts";
import type { Container } from "../../containers/container.ts";
import { containerFaults } from "../../containers/faults.ts";
import { pauseContainer, unpauseContainer } from "../../containers/pause.ts";
import { pruneContainers } from "../../containers/prune.ts";
import { renameContainer } from "../../containers/rename.ts";
import { followUsage, sampleUsage } from "../../containers/stats.ts";
import { listProcesses } from "../../containers/top.ts";
import { updateContainer } from "../../containers/update.ts";
import { httpFaults } from "../faults.ts";
import { type ApiRequest, readJsonBody } from "../request.ts";
import type { Route } from "../router.ts";
import { formatStats } from "../wire/container-stats.ts";
import { decodeUpdateRequest } from "../wire/update-request.ts";
import { parsePruneFilter } from "./prune-filter.ts";

/** Changing a container that is there, and looking into one that runs. */
export function containerControlRoutes(collaborators: Collaborators): Route[] {
  const { index, host } = collaborators;
  const containerOf = (request: ApiRequest): Container => index.resolve(request.param("id"));
  return [
    {
      method: "POST",
      path: "/containers/{id}/pause",
      async handler(request, response) {
        await pauseContainer(collaborators, containerOf(request));
        response.sendEmpty(204);
      },
    },
    {
      method: "POST",
      path: "/containers/{id}/unpause",
      async handler(request, response) {
        await unpauseContainer(collaborators, containerOf(request));
        response.sendEmpty(204);
      },
    },
    {
      method: "POST",
      path: "/containers/{id}/rename",
      async handler(request, response) {
        const name = request.query.text("name") ?? "";
        if (name === "") throw containerFaults.NAME_EMPTY();
        await renameContainer(collaborators, containerOf(request), name.replace(/^\//, ""));
        response.sendEmpty(204);
      },
    },
    {
      method: "POST",
      path: "/containers/{id}/update",
      async handler(request, response) {
        const update = await readJsonBody(request, decodeUpdateRequest, { type: "container.UpdateConfig" });
        const warnings = await updateContainer(collaborators, containerOf(request), update);
        response.sendJson(200, { Warnings: warnings.length === 0 ? null : warnings });
      },
    },
    {
      method: "GET",
      path: "/containers/{id}/top",
      async handler(request, response) {
        const psArgs = request.query.text("ps_args") ?? "";
        const { titles, processes } = await listProcesses(collaborators, containerOf(request), {
          psArgs,
          signal: request.signal,
        });
        response.sendJson(200, { Titles: titles, Processes: processes });
      },
    },
    {
      method: "GET",
      path: "/containers/{id}/stats",
      async handler(request, response) {
        const container = containerOf(request);
        const streams = request.query.flag("stream", true);
        const once = request.atLeast("1.41") && request.query.flag("one-shot");
        if (streams && once) throw httpFaults.STATS_STREAM_ONCE();
        const stream = response.openStream(200, { contentType: "application/json" });
        if (once || (!streams && container.monitor === undefined)) {
          const sample = await sampleUsage(collaborators, container);
          await stream.write(`${formatStats(container, sample ? { sample } : {})}\n`);
          stream.end();
          return;
        }
        let isFirst = true;
        for await (const report of followUsage(collaborators, container, request.signal)) {
          // A processor's load is the difference of two samples: a single answer is worth the second one.
          if (streams || !isFirst) await stream.write(`${formatStats(container, report)}\n`);
          if (!streams && !isFirst) break;
          isFirst = false;
        }
        stream.end();
      },
    },
    {
      method: "POST",
      path: "/containers/prune",
      async handler(request, response) {
        const matches = parsePruneFilter(request.query.text("filters"), host.now());
        const { removed, reclaimedBytes } = await pruneContainers(collaborators, matches);
        response.sendJson(200, {
          ContainersDeleted: removed.length === 0 ? null : removed,
          SpaceReclaimed: reclaimedBytes,
        });
      },
    },
  ];
}
