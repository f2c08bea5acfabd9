import { httpFaults } from "../faults.ts";
import type { Route } from "../router.ts";

/** Docker's words for those who ask a single machine for its cluster. */
const swarmPaths = ["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs"] as const;

/** What this version cannot do, and what that is to people. */
const lacking: readonly (readonly [Route["method"], string, string])[] = [
  ["POST", "/swarm/init", "a swarm"],
  ["POST", "/swarm/join", "a swarm"],
  ["POST", "/build/cancel", "cancelling a build by its id"],
  ["GET", "/plugins/privileges", "plugins"],
  ["POST", "/plugins/pull", "plugins"],
  ["POST", "/plugins/create", "plugins"],
  ["GET", "/containers/{id}/checkpoints", "checkpoints"],
  ["POST", "/containers/{id}/checkpoints", "checkpoints"],
];

/**
 * Docker's endpoints of what is not here: a clear answer rather than `page not found`, which clients take for an engine of another
 * kind.
 */
export function absentRoutes(): Route[] {
  const swarm = swarmPaths.flatMap((path): readonly Route[] =>
    [path, `${path}/{id:.*}`].flatMap((each) =>
      (["GET", "POST", "DELETE"] as const).map((method) => ({
        method,
        path: each,
        handler() {
          throw httpFaults.NOT_SWARM_MANAGER();
        },
      })),
    ),
  );
  return [
    ...lacking.map(
      ([method, path, what]): Route => ({
        method,
        path,
        handler() {
          throw httpFaults.NOT_IMPLEMENTED(what);
        },
      }),
    ),
    ...swarm,
    { method: "GET", path: "/plugins", handler: (_request, response) => response.sendJson(200, []) },
  ];
}
