import type { SystemService } from "../../system/system-service.ts";
import type { ApiResponse } from "../response.ts";
import type { Route } from "../router.ts";

/** What clients ask before anything else: is someone there, and who. */
export function systemRoutes(system: SystemService): Route[] {
  return [
    {
      method: "GET",
      path: "/_ping",
      handler: (_, response) => {
        setPingHeaders(response);
        response.sendText(200, "OK");
      },
    },
    {
      method: "HEAD",
      path: "/_ping",
      handler: (_, response) => {
        setPingHeaders(response);
        response.sendText(200, "");
      },
    },
    {
      method: "GET",
      path: "/version",
      async handler(_, response) {
        response.sendJson(200, await system.describeVersion());
      },
    },
    {
      method: "GET",
      path: "/info",
      async handler(request, response) {
        const { FirewallBackend, ...info } = await system.describe();
        response.sendJson(200, request.atLeast("1.49") ? { ...info, FirewallBackend } : info);
      },
    },
  ];
}

function setPingHeaders(response: ApiResponse): void {
  response.setHeader("Cache-Control", "no-cache, no-store, must-revalidate");
  response.setHeader("Pragma", "no-cache");
  // BuildKit's protocol; the classic one is there, too.
  response.setHeader("Builder-Version", "2");
  response.setHeader("Swarm", "inactive");
}
