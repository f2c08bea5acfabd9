import type { Socket } from "node:net";
import type { BuildServices } from "@hawser/build/grpc";
import { buildFaults } from "../../builds/faults.ts";
import { hijack } from "../hijack.ts";
import type { Route } from "../router.ts";

/**
 * The two doors of BuildKit's protocol: on `/grpc` the client calls the engine, on `/session` the engine the client. Both are HTTP/2
 * on the connection of the request (`Upgrade: h2c`).
 *
 * @param services opened when the first client comes
 */
export function buildkitRoutes(services: () => Promise<BuildServices>): Route[] {
  return [
    {
      method: "POST",
      path: "/grpc",
      hijacks: true,
      async handler(request, response) {
        if (!isHttp2(request.header("upgrade"))) throw buildFaults.UPGRADE_NEEDED();
        const opened = await services();
        const connection = await hijack(request, response);
        await connection.accept({ protocol: "h2c" });
        opened.serve(whole(connection.socket));
      },
    },
    {
      method: "POST",
      path: "/session",
      hijacks: true,
      async handler(request, response) {
        if (!isHttp2(request.header("upgrade"))) throw buildFaults.UPGRADE_NEEDED();
        const id = request.header("x-docker-expose-session-uuid") ?? "";
        if (id === "") throw buildFaults.SESSION_UNNAMED();
        const { sessions } = await services();
        sessions.check(id);
        const connection = await hijack(request, response);
        await connection.accept({ protocol: "h2c" });
        void sessions.serve(whole(connection.socket), {
          id,
          sharedKey: request.header("x-docker-expose-session-sharedkey") ?? "",
          methods: (request.header("x-docker-expose-session-grpc-method") ?? "").split(/,\s*/),
        });
      },
    },
  ];
}

/** HTTP/2 has no half-open connections: one that the client has closed is closed. */
function whole(socket: Socket): Socket {
  return socket.once("end", () => socket.destroy());
}

function isHttp2(upgrade: string | undefined): boolean {
  return upgrade?.toLowerCase() === "h2c";
}
