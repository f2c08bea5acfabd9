import { Fault } from "@hawser/base";
import type { BuildService } from "../../builds/build-service.ts";
import { BuildSources } from "../../builds/build-sources.ts";
import type { EngineBuildServices } from "../../builds/buildkit/open-build-services.ts";
import { buildFaults } from "../../builds/faults.ts";
import { checkLocalFolder } from "../../builds/local-folder.ts";
import { type ApiRequest, readJsonBody } from "../request.ts";
import { type ApiResponse, type ResponseStream, sendAll } from "../response.ts";
import type { Route } from "../router.ts";
import {
  givenBuildCodec,
  readBuildRequest,
  readFrontendAttributes,
  readLimits,
  readOutputs,
} from "../wire/build-query.ts";
import { BuildTranscript } from "../wire/build-transcript.ts";
import { readAccessByDomain } from "../wire/registry-auth.ts";
import { formatPullEvent } from "../wire/transfer-progress.ts";
import { readBuildPrune } from "./build-prune.ts";

/** `POST /build`, Docker's classic way to build, and what is kept of builds. */
export function buildRoutes(
  builds: BuildService,
  options: { readonly now: () => number; readonly services: () => Promise<EngineBuildServices> },
): Route[] {
  return [
    {
      method: "POST",
      path: "/build",
      async handler(request, response) {
        if (request.query.text("version") === "2") {
          await buildTold(await options.services(), request, response);
        } else await build(builds, request, response);
      },
    },
    {
      // Hawser's own: the client names a folder of this machine instead of sending it, and is told in JSON.
      method: "POST",
      path: "/build/local",
      async handler(request, response) {
        await buildGiven(await options.services(), request, response);
      },
    },
    {
      // Hawser's own, as is the next one.
      method: "GET",
      path: "/build/cache-mounts",
      async handler(request, response) {
        const archive = await builds.cacheMounts.export(request.query.texts("id"), request.signal);
        await sendAll(response.openStream(200, { contentType: "application/x-tar" }), archive);
      },
    },
    {
      method: "POST",
      path: "/build/cache-mounts",
      async handler(request, response) {
        const count = await builds.cacheMounts.import(request.body, request.signal);
        response.sendJson(200, { Imported: count });
      },
    },
    {
      method: "POST",
      path: "/build/prune",
      async handler(request, response) {
        const { wanted, room } = readBuildPrune(request, options.now());
        const { keys, reclaimedBytes } = await builds.prune(wanted, room);
        response.sendJson(200, {
          CachesDeleted: keys.length === 0 ? null : keys,
          SpaceReclaimed: reclaimedBytes,
        });
      },
    },
  ];
}

async function build(builds: BuildService, request: ApiRequest, response: ApiResponse): Promise<void> {
  const { query } = request;
  const remote = query.text("remote") ?? "";
  const asked = readBuildRequest(request);
  const accessTo = readAccessByDomain(request);
  const quiet = query.flag("q");
  /** Opened by the first word: what goes wrong before is an answer of its own. */
  let stream: ResponseStream | undefined;
  let written: Promise<unknown> = Promise.resolve();
  const tell = (value: unknown) => {
    const opened = (stream ??= response.openStream(200, { contentType: "application/json" }));
    written = written.then(() => opened.writeJson(value));
    written.catch(() => {}); // told when it is waited for
  };
  const transcript = new BuildTranscript((text) => {
    if (!quiet) tell({ stream: text });
  });
  try {
    const image = await builds.build({
      ...asked,
      context: remote === "" ? request.body : remote,
      access: async (domain) => accessTo(domain),
      signal: request.signal,
      onEvent: (event) => {
        transcript.take(event);
        if (event.kind === "pull" && !quiet)
          for (const message of formatPullEvent(event.event)) tell(message);
      },
    });
    const id = image.id.slice("sha256:".length);
    tell({ aux: { ID: image.id } });
    tell({ stream: quiet ? `${image.id}\n` : `Successfully built ${id.slice(0, 12)}\n` });
    if (!quiet) for (const name of asked.names) tell({ stream: `Successfully tagged ${tagged(name)}\n` });
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (fault.kind === "canceled" || stream === undefined) throw fault;
    const [, code] = /returned a non-zero code: (\d+)/.exec(fault.message) ?? [];
    tell({
      errorDetail: { ...(code !== undefined && { code: Number(code) }), message: fault.message },
      error: fault.message,
    });
    if (fault.kind === "internal") {
      await written;
      stream.end();
      throw fault; // for the log
    }
  }
  await written;
  stream?.end();
}

/** `version=2`: what is told of the build are BuildKit's messages, and the files may be in a session of the client's. */
async function buildTold(
  services: EngineBuildServices,
  request: ApiRequest,
  response: ApiResponse,
): Promise<void> {
  const { query } = request;
  const remote = query.text("remote") ?? "";
  const exporters = readOutputs(request);
  const place = remote === "client-session" ? "" : remote;
  const attributes = { ...readFrontendAttributes(request), ...(place !== "" && { context: place }) };
  const stream = response.openStream(200, { contentType: "application/json" });
  try {
    const told = await services.build({
      session: query.text("session") ?? "",
      ...(remote === "" && { archive: request.body }),
      attributes,
      exporters,
      signal: request.signal,
      onStatus: ({ protobuf }) =>
        stream.writeJson({ id: "moby.buildkit.trace", aux: Buffer.from(protobuf()).toString("base64") }),
    });
    const id = told["containerimage.config.digest"];
    if (id !== undefined) await stream.writeJson({ id: "moby.image.id", aux: { ID: id } });
  } catch (thrown) {
    const { kind, message } = Fault.from(thrown);
    if (kind === "canceled") throw thrown;
    await stream.writeJson({ errorDetail: { message }, error: message });
  }
  stream.end();
}

/**
 * `POST /build/local`. The answer is a line of JSON for each thing that is told, as buildx' `--progress rawjson` has them, then
 * `{"result", "sources"}` or `{"failure"}`.
 */
async function buildGiven(
  services: EngineBuildServices,
  request: ApiRequest,
  response: ApiResponse,
): Promise<void> {
  const { source, folders, committedAt, pins, ...asked } = await readJsonBody(
    request,
    givenBuildCodec.decode,
    {
      type: "build.Request",
    },
  );
  for (const { path, device = "", inode = "" } of Object.values(folders)) {
    if (path === undefined) continue;
    if (request.peer === undefined) throw buildFaults.FOLDER_ELSEWHERE(path);
    await checkLocalFolder({ path, device, inode });
  }
  const access = readAccessByDomain(request);
  const limits = readLimits(request);
  const sources = new BuildSources(pins);
  const stream = response.openStream(200, { contentType: "application/json" });
  try {
    const result = await services.buildGiven(
      {
        ...(source && { source }),
        ...(committedAt !== undefined && { committedAtMs: committedAt * 1000 }),
        folders,
        sources,
        limits,
        access,
      },
      { ...asked, signal: request.signal, onStatus: ({ json }) => stream.writeJson(json()) },
    );
    await stream.writeJson({ result, sources: sources.used });
  } catch (thrown) {
    const { kind, message, lines } = services.explain(thrown);
    if (kind === "canceled") throw thrown;
    await stream.writeJson({ failure: { message, lines } });
  }
  stream.end();
}

function tagged(name: string): string {
  return /:[^/]*$/.test(name) ? name : `${name}:latest`;
}
