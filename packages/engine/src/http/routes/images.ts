import { type ImageDeleteItem, type ProgressMessage, parseFilters } from "@hawser/api";
import { type Platform, parsePlatform, platformOfNode } from "@hawser/oci";
import type { WebClient } from "@hawser/registry/client";
import type { Image, RemovedItem } from "@hawser/store";
import { checkPlatform } from "../../images/check-platform.ts";
import { fetchArchive } from "../../images/fetch-archive.ts";
import { filterImages, imageFilterNames } from "../../images/image-filter.ts";
import { type ImageService, joinReference } from "../../images/image-service.ts";
import { parseChanges } from "../../images/parse-changes.ts";
import type { RemoteImages } from "../../images/remote-images.ts";
import { httpFaults } from "../faults.ts";
import type { ApiRequest } from "../request.ts";
import type { ApiResponse } from "../response.ts";
import type { Route } from "../router.ts";
import { streamProgress } from "../stream-progress.ts";
import { formatImageHistory, formatImageInspect, formatImageSummary } from "../wire/image.ts";
import { decodePlatform, queryPlatform } from "../wire/platform.ts";
import { readAccess } from "../wire/registry-auth.ts";
import { formatLoadNews, formatPullEvent } from "../wire/transfer-progress.ts";

/** Everything about images. */
export function imageRoutes(images: ImageService, registry: RemoteImages, web: WebClient): Route[] {
  /** The image that is asked for, which has to be for the platform that is asked for. */
  const find = (request: ApiRequest, options: Parameters<typeof queryPlatform>[1]) => {
    const reference = request.param("name");
    const wanted = queryPlatform(request, options);
    const image = images.resolve(reference);
    checkPlatform(image, { reference, wanted });
    return image;
  };
  return [
    {
      method: "GET",
      path: "/images/json",
      handler(request, response) {
        const { query } = request;
        const filters = parseFilters(query.text("filters"), imageFilterNames);
        const all = images.list();
        const wanted = filterImages(all, filters, {
          resolve: (name) => images.resolve(name),
          nowMs: Date.now(),
        });
        const counts = query.flag("shared-size") ? countLayers(all) : undefined;
        response.sendJson(
          200,
          wanted.map((image) =>
            formatImageSummary(image, {
              request,
              ...(counts && { sharedBytes: sharedBytes(image, counts) }),
              useCount: images.useCount(image),
            }),
          ),
        );
      },
    },
    { method: "POST", path: "/images/load", handler: (request, response) => load(images, request, response) },
    {
      method: "POST",
      path: "/images/create",
      handler: (request, response) => create({ images, registry, web }, request, response),
    },
    {
      method: "GET",
      path: "/images/{name:.*}/json",
      handler(request, response) {
        const isAsked = request.atLeast("1.48") && request.query.text("platform");
        if (isAsked && request.query.flag("manifests")) throw httpFaults.MANIFESTS_AND_PLATFORM();
        response.sendJson(200, formatImageInspect(find(request, { since: "1.49" }), request));
      },
    },
    {
      method: "GET",
      path: "/images/{name:.*}/history",
      handler(request, response) {
        response.sendJson(200, formatImageHistory(find(request, { since: "1.48" })));
      },
    },
    {
      method: "POST",
      path: "/images/{name:.*}/tag",
      handler(request, response) {
        const { query } = request;
        images.tag(request.param("name"), joinReference(query.text("repo") ?? "", query.text("tag") ?? ""));
        response.sendEmpty(201);
      },
    },
    {
      method: "DELETE",
      path: "/images/{name:.*}",
      async handler(request, response) {
        const reference = request.param("name");
        const wanted = request.atLeast("1.50") ? request.query.texts("platforms") : [];
        const platforms = wanted.filter((text) => text !== "").map(decodePlatform);
        if (platforms.length > 0) {
          const image = images.resolve(reference);
          // An image here is for one platform: it is that one, or there is nothing to remove.
          for (const platform of platforms) checkPlatform(image, { reference, wanted: platform });
        }
        const removed = await images.remove(reference, { force: request.query.flag("force") });
        response.sendJson(200, removed.map(formatRemoved));
      },
    },
  ];
}

/** `docker load`. */
async function load(images: ImageService, request: ApiRequest, response: ApiResponse): Promise<void> {
  const platform = queryPlatform(request, { since: "1.48", only: true });
  const events = images.load(request.body, {
    withProgress: !request.query.flag("quiet", true),
    signal: request.signal,
    ...(platform && { platform }),
  });
  await streamProgress(response, events, { atOnce: true, format: (event) => [formatLoadNews(event)] });
}

/** `docker pull` (`fromImage`) and `docker import` (`fromSrc`). */
async function create(
  parts: { readonly images: ImageService; readonly registry: RemoteImages; readonly web: WebClient },
  request: ApiRequest,
  response: ApiResponse,
): Promise<void> {
  const { images, registry, web } = parts;
  const { query } = request;
  const from = query.text("fromImage") ?? "";
  if (from !== "") {
    const events = registry.pull(joinReference(from, query.text("tag") ?? ""), {
      access: readAccess(request),
      platform: readPlatform(request),
      signal: request.signal,
    });
    return await streamProgress(response, events, { format: formatPullEvent });
  }
  const source = query.text("fromSrc") ?? "";
  if (source === "") throw httpFaults.IMPORT_SOURCE();
  const repository = query.text("repo") ?? "";
  const platform = readPlatform(request);
  const archive = source === "-" ? request.body : fetchArchive(web, source, request.signal);
  const image = await images.import(archive, {
    ...(repository !== "" && { reference: joinReference(repository, query.text("tag") ?? "") }),
    changes: parseChanges(query.texts("changes")),
    message: query.text("message") || `Imported from ${source}`,
    ...(platform && { platform }),
    signal: request.signal,
  });
  response.sendJson(200, { status: image.id } satisfies ProgressMessage);
}

/** As people write it, `linux/arm64`. */
function readPlatform(request: ApiRequest): Platform | undefined {
  const text = request.query.text("platform") ?? "";
  return text === "" ? undefined : parsePlatform(text, platformOfNode(process));
}

/** One of what a removal tells. */
export function formatRemoved(item: RemovedItem): ImageDeleteItem {
  return "untagged" in item ? { Untagged: item.untagged } : { Deleted: item.deleted };
}

/** In how many images each layer is. */
export function countLayers(images: readonly Image[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { layers } of images) {
    for (const { chainId } of layers) counts.set(chainId, (counts.get(chainId) ?? 0) + 1);
  }
  return counts;
}

/** Bytes of an image that others have, too. */
export function sharedBytes(image: Image, counts: ReadonlyMap<string, number>): number {
  const shared = image.layers.filter(({ chainId }) => (counts.get(chainId) ?? 0) > 1);
  return shared.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
