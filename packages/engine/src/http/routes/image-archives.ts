import { parseFilters } from "@hawser/api";
import type { Collaborators } from "../../containers/collaborators.ts";
import { commitContainer } from "../../containers/commit.ts";
import { joinReference } from "../../images/image-service.ts";
import { applyChanges, parseChanges } from "../../images/parse-changes.ts";
import { imagePruneFilterNames, pruneImages } from "../../images/prune-images.ts";
import { httpFaults } from "../faults.ts";
import { type ApiRequest, readJsonBody } from "../request.ts";
import type { ApiResponse } from "../response.ts";
import type { Route } from "../router.ts";
import { containerConfigCodec } from "../wire/container-config.ts";
import { queryPlatform } from "../wire/platform.ts";
import { formatRemoved } from "./images.ts";

/** Images out of the store and out of containers: `save`, `commit`, `prune`. */
export function imageArchiveRoutes(collaborators: Collaborators): Route[] {
  const { images, index, host } = collaborators;
  const save = async (names: readonly string[], request: ApiRequest, response: ApiResponse) => {
    const platform = queryPlatform(request, { since: "1.48", only: true });
    const archive = images.save(names, { ...(platform && { platform }) });
    const stream = response.openStream(200, { contentType: "application/x-tar" });
    for await (const chunk of archive) {
      request.signal.throwIfAborted();
      await stream.write(chunk);
    }
    stream.end();
  };
  return [
    {
      method: "GET",
      path: "/images/get",
      async handler(request, response) {
        await save(request.query.texts("names"), request, response);
      },
    },
    {
      method: "GET",
      path: "/images/{name:.*}/get",
      async handler(request, response) {
        await save([request.param("name")], request, response);
      },
    },
    {
      method: "POST",
      path: "/images/prune",
      async handler(request, response) {
        const filters = parseFilters(request.query.text("filters"), imagePruneFilterNames);
        const { removed, reclaimedBytes } = await pruneImages(images, filters, host.now());
        response.sendJson(200, {
          ImagesDeleted: removed.length === 0 ? null : removed.map(formatRemoved),
          SpaceReclaimed: reclaimedBytes,
        });
      },
    },
    {
      method: "POST",
      path: "/commit",
      async handler(request, response) {
        const { query } = request;
        const name = query.text("container") ?? "";
        if (name === "") throw httpFaults.NAME_EMPTY();
        const container = index.resolve(name);
        const own = await readJsonBody(request, containerConfigCodec.decode, {
          type: "container.Config",
          optional: container.record.config,
        });
        const repository = query.text("repo") ?? "";
        const image = await commitContainer(collaborators, container, {
          config: applyChanges(own, parseChanges(query.texts("changes"))),
          ...(repository !== "" && { reference: joinReference(repository, query.text("tag") ?? "") }),
          author: query.text("author") ?? "",
          message: query.text("comment") ?? "",
          pause: query.flag("pause", true),
          signal: request.signal,
        });
        response.sendJson(201, { Id: image.id });
      },
    },
  ];
}
