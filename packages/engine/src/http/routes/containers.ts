import type { ContainerWaitResponse } from "@hawser/api";
import { Fault } from "@hawser/base";
import { type Platform, parsePlatform, platformOfNode } from "@hawser/oci";
import type { Collaborators } from "../../containers/collaborators.ts";
import type { Container } from "../../containers/container.ts";
import { createContainer } from "../../containers/create.ts";
import { killContainer } from "../../containers/kill.ts";
import { listContainers } from "../../containers/list.ts";
import { measureContainer } from "../../containers/measure.ts";
import { removeContainer } from "../../containers/remove.ts";
import { resizeContainer } from "../../containers/resize.ts";
import { startContainer } from "../../containers/start.ts";
import { restartContainer, type StopOptions, stopContainer } from "../../containers/stop.ts";
import { parseWaitCondition, waitForContainer } from "../../containers/wait.ts";
import { httpFaults } from "../faults.ts";
import type { Query } from "../query.ts";
import { type ApiRequest, readJsonBody } from "../request.ts";
import type { Route } from "../router.ts";
import { formatInspect } from "../wire/container-inspect.ts";
import { formatGraphDriver, formatMountPoints, formatSize } from "../wire/container-storage.ts";
import { formatSummary, SummaryLists } from "../wire/container-summary.ts";
import { decodeCreateRequest } from "../wire/create-request.ts";
import { asOfVersion } from "../wire/create-versions.ts";
import { parseContainerFilter } from "./container-filter.ts";

/** Everything about a container but its streams: `attach-and-logs.ts` has those. */
export function containerRoutes(collaborators: Collaborators): Route[] {
  const { index, host } = collaborators;
  const summaries = new SummaryLists();
  const containerOf = (request: ApiRequest): Container => index.resolve(request.param("id"));
  return [
    {
      method: "POST",
      path: "/containers/create",
      async handler(request, response) {
        const name = request.query.text("name");
        const body = await readJsonBody(request, decodeCreateRequest, {
          type: "container.CreateRequest",
          path: "",
          optional: "refused",
        });
        const platform = readPlatform(request);
        const { warnings: told, ...meant } = asOfVersion(body, (version) => request.atLeast(version));
        const { container, warnings } = await createContainer(collaborators, {
          ...(platform !== undefined && { platform }),
          ...(name !== undefined && name !== "" && { name: name.replace(/^\//, "") }),
          ...meant,
        });
        response.sendJson(201, { Id: container.id, Warnings: [...warnings, ...told] });
      },
    },
    {
      method: "GET",
      path: "/containers/json",
      async handler({ query }, response) {
        const limit = query.integer("limit") ?? -1;
        const found = listContainers(index, {
          all: query.flag("all"),
          ...(limit > 0 && { limit }),
          filter: parseContainerFilter(query.text("filters"), collaborators),
        });
        const nowMs = host.now();
        const withSize = async (container: Container) => ({
          ...formatSummary(container, { nowMs, mounts: formatMountPoints(container.record) }),
          ...withoutZero(formatSize(await measureContainer(collaborators, container))),
        });
        if (query.flag("size")) response.sendJson(200, await Promise.all(found.map(withSize)));
        else response.sendJsonBytes(200, summaries.format(found, { nowMs }));
      },
    },
    {
      method: "GET",
      path: "/containers/{id}/json",
      async handler(request, response) {
        const container = containerOf(request);
        const withSize = request.query.flag("size");
        const inspected = formatInspect(container, {
          host,
          mounts: formatMountPoints(container.record),
          withIdAlias: !request.atLeast("1.45"),
          graphDriver: formatGraphDriver(container.id, collaborators.snapshots.get(container.id)),
        });
        response.sendJson(200, {
          ...inspected,
          ...(withSize && formatSize(await measureContainer(collaborators, container))),
        });
      },
    },
    {
      method: "POST",
      path: "/containers/{id}/start",
      async handler(request, response) {
        if (request.body.remainingBytes !== 0) throw httpFaults.START_BODY();
        await startContainer(collaborators, containerOf(request));
        response.sendEmpty(204);
      },
    },
    {
      method: "POST",
      path: "/containers/{id}/stop",
      async handler(request, response) {
        const container = containerOf(request);
        const options = readStopOptions(request.query);
        await saying(`cannot stop container: ${request.param("id")}`, () =>
          stopContainer(collaborators, container, options),
        );
        response.sendEmpty(204);
      },
    },
    {
      method: "POST",
      path: "/containers/{id}/restart",
      async handler(request, response) {
        await restartContainer(collaborators, containerOf(request), readStopOptions(request.query));
        response.sendEmpty(204);
      },
    },
    {
      method: "POST",
      path: "/containers/{id}/kill",
      async handler(request, response) {
        await saying(`cannot kill container: ${request.param("id")}`, () =>
          killContainer(collaborators, containerOf(request), request.query.text("signal") ?? ""),
        );
        response.sendEmpty(204);
      },
    },
    {
      method: "POST",
      path: "/containers/{id}/resize",
      async handler(request, response) {
        await resizeContainer(collaborators, containerOf(request), readSize(request.query));
        response.sendEmpty(200);
      },
    },
    {
      method: "POST",
      path: "/containers/{id}/wait",
      async handler(request, response) {
        const container = containerOf(request);
        const text = request.atLeast("1.30") ? (request.query.text("condition") ?? "") : "";
        const condition = parseWaitCondition(text);
        const exit = waitForContainer(container, condition);
        // The head leaves at once: the CLI waits for it before it starts the container.
        const stream = response.openStream(200, { contentType: "application/json" });
        const { exitCode, error } = await unlessAborted(exit, request.signal);
        // Clients before 1.34 have no other way to learn that a removal has failed.
        if (error !== undefined && condition === "removed" && !request.atLeast("1.34")) return stream.end();
        const body: ContainerWaitResponse = {
          StatusCode: exitCode,
          ...(error !== undefined && { Error: { Message: error } }),
        };
        await stream.writeJson(body);
        stream.end();
      },
    },
    {
      method: "DELETE",
      path: "/containers/{id}",
      async handler(request, response) {
        const { query } = request;
        const options = { force: query.flag("force"), volumes: query.flag("v") };
        await removeContainer(collaborators, containerOf(request), options);
        response.sendEmpty(204);
      },
    },
  ];
}

/** The `platform` of a create, which its clients know from API 1.41 on. @throws {Fault} `invalid-argument` */
function readPlatform(request: ApiRequest): Platform | undefined {
  const text = request.atLeast("1.41") ? (request.query.text("platform") ?? "") : "";
  return text === "" ? undefined : parsePlatform(text, platformOfNode(process));
}

/** The list, unlike inspect, leaves a size of 0 out. */
function withoutZero(sizes: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(sizes).filter(([, size]) => size > 0));
}

/** Put in front of a refusal what it is that cannot be done, as Docker does. */
async function saying(what: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!Fault.is(error)) throw error;
    throw new Fault(error.kind, error.code, `${what}: ${error.message}`).because(error);
  }
}

/** Docker wants both, as unsigned integers. */
export function readSize(query: Query): { readonly height: number; readonly width: number } {
  const [height = 0, width = 0] = ["height", "width"].map((side) => {
    const value = query.text(side.slice(0, 1)) ?? "";
    if (!/^\d{1,9}$/.test(value)) throw httpFaults.TTY_SIZE(side, value);
    return Number(value);
  });
  return { height, width };
}

function readStopOptions(query: Query): StopOptions {
  const timeoutSeconds = query.integer("t");
  const signal = query.text("signal");
  return { ...(timeoutSeconds !== undefined && { timeoutSeconds }), ...(signal !== undefined && { signal }) };
}

/** @throws {Fault} `canceled` when the client goes away first. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(httpFaults.CLIENT_GONE());
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
