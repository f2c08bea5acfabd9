import { parseFilters } from "@hawser/api";
import { parseGoBool } from "@hawser/base";
import type { Collaborators } from "../../containers/collaborators.ts";
import { connectContainer, disconnectContainer } from "../../containers/connect.ts";
import { attachmentsOf } from "../../networks/attachment.ts";
import { networkServiceFaults } from "../../networks/faults.ts";
import { matchNetworks, networkFilterNames, networkPruneFilterNames } from "../../networks/network-filter.ts";
import type { NetworkRecord } from "../../networks/network-record.ts";
import { httpFaults } from "../faults.ts";
import { type ApiRequest, readJsonBody } from "../request.ts";
import type { Route } from "../router.ts";
import {
  decodeConnectRequest,
  decodeDisconnectRequest,
  decodeNetworkRequest,
  formatNetwork,
} from "../wire/network.ts";
import { matchPruned } from "./prune-filter.ts";

/** Everything about networks. */
export function networkRoutes(collaborators: Collaborators): Route[] {
  const { networks, index, host } = collaborators;
  const networkOf = (request: ApiRequest) => networks.resolve(request.param("id"));
  /** By a container that runs or not: what `dangling` and `prune` go by. */
  const isUsed = ({ id, name }: NetworkRecord) =>
    index
      .list()
      .some(({ record }) =>
        attachmentsOf(record).some((own) =>
          own.networkId === "" ? own.network === name : own.networkId === id,
        ),
      );
  const list: Route["handler"] = (request, response) => {
    const filters = parseFilters(request.query.text("filters"), networkFilterNames);
    const found = networks.list().filter(matchNetworks(filters, isUsed));
    response.sendJson(
      200,
      found.map((network) => formatNetwork(network, { members: [] })),
    );
  };
  return [
    { method: "GET", path: "/networks", handler: list },
    { method: "GET", path: "/networks/", handler: list },
    {
      method: "GET",
      path: "/networks/{id}",
      handler(request, response) {
        checkVerbose(request.query.text("verbose"));
        const network = networkOf(request);
        const scope = request.query.text("scope") ?? "";
        if (scope !== "" && scope !== "local")
          throw networkServiceFaults.NO_SUCH_NETWORK(request.param("id"));
        const members = networks.membersOf(network);
        response.sendJson(200, formatNetwork(network, { members }));
      },
    },
    {
      method: "POST",
      path: "/networks/create",
      async handler(request, response) {
        const { id } = await networks.create(
          await readJsonBody(request, decodeNetworkRequest, {
            type: "network.CreateRequest",
          }),
        );
        response.sendJson(201, { Id: id, Warning: "" });
      },
    },
    {
      method: "POST",
      path: "/networks/{id}/connect",
      async handler(request, response) {
        const { container, wish } = await readJsonBody(request, decodeConnectRequest, {
          type: "network.ConnectOptions",
        });
        if (container === "") throw httpFaults.NAME_EMPTY();
        await connectContainer(collaborators, index.resolve(container), {
          network: networkOf(request),
          wish,
        });
        response.sendEmpty(200);
      },
    },
    {
      method: "POST",
      path: "/networks/{id}/disconnect",
      async handler(request, response) {
        const { container, force } = await readJsonBody(request, decodeDisconnectRequest, {
          type: "network.DisconnectOptions",
        });
        const network = networkOf(request);
        await disconnectContainer(collaborators, index.resolve(container), { network, force });
        response.sendEmpty(200);
      },
    },
    {
      method: "POST",
      path: "/networks/prune",
      async handler(request, response) {
        const filters = parseFilters(request.query.text("filters"), networkPruneFilterNames);
        const removed = await networks.prune(matchPruned(filters, host.now()), isUsed);
        response.sendJson(200, { NetworksDeleted: removed.length === 0 ? null : removed });
      },
    },
    {
      method: "DELETE",
      path: "/networks/{id}",
      async handler(request, response) {
        await networks.remove(networkOf(request));
        response.sendEmpty(204);
      },
    },
  ];
}

function checkVerbose(text: string | undefined): void {
  if (text !== undefined && text !== "" && parseGoBool(text) === undefined)
    throw networkServiceFaults.VERBOSE_INVALID(text);
}
