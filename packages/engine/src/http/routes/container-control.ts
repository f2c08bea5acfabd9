import type { Collaborators } from "../../containers/collaborators.ts";
import type { Container } from "../../containers/container.ts";
import { containerFaults } from "../../containers/faults.ts";
import { pauseContainer, unpauseContainer } from "../../containers/pause.ts";
import { renameContainer } from "../../containers/rename.ts";
import type { ApiRequest } from "../request.ts";
import type { Route } from "../router.ts";

/** Changing a container that is there, and looking into one that runs. */
export function containerControlRoutes(collaborators: Collaborators): Route[] {
  const { index } = collaborators;
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
  ];
}
