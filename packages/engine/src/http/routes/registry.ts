import { Fault } from "@hawser/base";
import { imageFaults } from "../../images/faults.ts";
import type { RegistryService } from "../../images/registry-service.ts";
import { readJsonBody } from "../request.ts";
import type { Route } from "../router.ts";
import { streamProgress } from "../stream-progress.ts";
import { authConfigCodec, credentialsOf, readAccess } from "../wire/registry-auth.ts";
import { formatPushEvent } from "../wire/transfer-progress.ts";

const dockerHub = "docker.io";

/** What is asked of registries, but for getting images. */
export function registryRoutes(registry: RegistryService): Route[] {
  return [
    {
      method: "POST",
      path: "/auth",
      async handler(request, response) {
        const config = await readJsonBody(request, authConfigCodec.decode);
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
        // Docker's words. Who pushes says who he is, even when he is nobody.
        if (request.header("x-registry-auth") === undefined) throw imageFaults.PUSH_AUTH_MISSING();
        const events = registry.push(request.param("name"), {
          tag: request.query.text("tag") ?? "",
          access: readAccess(request),
          signal: request.signal,
        });
        await streamProgress(response, events, { format: formatPushEvent });
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

/** `https://index.docker.io/v1/` is what Docker's clients call Docker Hub. @throws {Fault} `invalid-argument` */
function registryOf(address: string): string {
  if (address === "") return dockerHub;
  const host = address.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
  if (host === "index.docker.io" || host === "registry-1.docker.io") return dockerHub;
  if (!/^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/.test(host))
    throw imageFaults.REGISTRY_ADDRESS(address);
  return host;
}
