import { type Filters, parseFilters } from "@hawser/api";
import { Fault } from "@hawser/base";
import type { FoundRepository } from "@hawser/registry/client";
import { imageFaults } from "../../images/faults.ts";
import type { RemoteImages } from "../../images/remote-images.ts";
import { readJsonBody } from "../request.ts";
import type { Route } from "../router.ts";
import { streamProgress } from "../stream-progress.ts";
import { queryPlatform } from "../wire/platform.ts";
import { authConfigCodec, credentialsOf, readAccess } from "../wire/registry-auth.ts";
import { formatPushEvent } from "../wire/transfer-progress.ts";

const dockerHub = "docker.io";

/** What is asked of registries, but for getting images. */
export function registryRoutes(registry: RemoteImages): Route[] {
  return [
    {
      method: "POST",
      path: "/auth",
      async handler(request, response) {
        const config = await readJsonBody(request, authConfigCodec.decode, {
          type: "registry.AuthConfig",
          path: "",
        });
        try {
          const { identityToken = "" } = await registry.login(
            registryOf(config.serverAddress),
            credentialsOf(config) ?? {},
            request.signal,
          );
          response.sendJson(200, { IdentityToken: identityToken, Status: "Login Succeeded" });
        } catch (error) {
          if (Fault.is(error, "permission-denied"))
            throw imageFaults.LOGIN_REFUSED(error.message).because(error);
          throw error;
        }
      },
    },
    {
      method: "POST",
      path: "/images/{name:.*}/push",
      async handler(request, response) {
        const events = registry.push(request.param("name"), {
          tag: request.query.text("tag") ?? "",
          platform: queryPlatform(request, { since: "1.46" }),
          access: readAccess(request),
          signal: request.signal,
        });
        await streamProgress(response, events, { format: formatPushEvent });
      },
    },
    {
      method: "GET",
      path: "/images/search",
      async handler(request, response) {
        const { query } = request;
        const filters = parseFilters(query.text("filters"), searchFilters);
        const found = await registry.search(query.text("term") ?? "", {
          limit: readLimit(query.text("limit") ?? ""),
          access: readAccess(request),
          signal: request.signal,
        });
        const shown = found.filter((one) => isWanted(one, filters));
        response.sendJson(
          200,
          shown.map(({ name, description, stars, isOfficial }) => ({
            star_count: stars,
            is_official: isOfficial,
            name,
            is_automated: false,
            description,
          })),
        );
      },
    },
    {
      method: "GET",
      path: "/distribution/{name:.*}/json",
      async handler(request, response) {
        const { mediaType, digest, sizeBytes, platforms } = await registry.describe(request.param("name"), {
          access: readAccess(request),
          signal: request.signal,
        });
        response.sendJson(200, {
          Descriptor: { mediaType, digest, size: sizeBytes },
          Platforms: platforms.map(({ architecture, os, variant }) => ({
            architecture,
            os,
            ...(variant !== undefined && { variant }),
          })),
        });
      },
    },
  ];
}

const searchFilters = ["is-automated", "is-official", "stars"];

/** Docker's words. */
function readLimit(text: string): number {
  if (text === "") return 25;
  if (!/^[+-]?\d{1,9}$/.test(text)) throw imageFaults.SEARCH_LIMIT_WORD(text);
  const limit = Number(text) || 25;
  if (limit < 1 || limit > 100) throw imageFaults.SEARCH_LIMIT(limit);
  return limit;
}

/** Nothing is automated any more: Docker Hub says so of none. */
function isWanted({ stars, isOfficial }: FoundRepository, filters: Filters): boolean {
  const flag = (name: string) =>
    (filters.get(name) ?? []).map((text) => {
      if (!["true", "1", "false", "0"].includes(text)) throw imageFaults.FILTER_VALUE(name, text);
      return text === "true" || text === "1";
    });
  const least = (filters.get("stars") ?? []).map((text) => {
    if (!/^\d{1,9}$/.test(text)) throw imageFaults.FILTER_VALUE("stars", text);
    return Number(text);
  });
  return (
    flag("is-automated").every((wanted) => !wanted) &&
    flag("is-official").every((wanted) => wanted === isOfficial) &&
    least.every((wanted) => stars >= wanted)
  );
}

/** `https://index.docker.io/v1/` is what Docker's clients call Docker Hub. @throws {Fault} `invalid-argument` */
function registryOf(address: string): string {
  if (address === "") return dockerHub;
  const host = address.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
  if (host === "index.docker.io" || host === "registry-1.docker.io") return dockerHub;
  if (!/^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/.test(host))
    throw imageFaults.REGISTRY_ADDRESS(address);
  return host;
}
