import { parseFilters } from "@hawser/api";
import { Fault } from "@hawser/base";
import { parsePlatform, parseReference, platformOfNode } from "@hawser/oci";
import type { HostConfig } from "@hawser/runtime";
import type { BuildRecord } from "@hawser/store";
import type { BuildService } from "../../builds/build-service.ts";
import { buildFaults } from "../../builds/faults.ts";
import { httpFaults } from "../faults.ts";
import type { ApiRequest } from "../request.ts";
import type { ApiResponse, ResponseStream } from "../response.ts";
import type { Route } from "../router.ts";
import { BuildTranscript } from "../wire/build-transcript.ts";

/** `POST /build`, Docker's classic way to build, and what is kept of builds. */
export function buildRoutes(builds: BuildService, options: { readonly now: () => number }): Route[] {
  return [
    { method: "POST", path: "/build", handler: (request, response) => build(builds, request, response) },
    {
      method: "POST",
      path: "/build/prune",
      async handler(request, response) {
        const wanted = prunedRecords(request, options.now());
        const { keys, reclaimedBytes } = await builds.prune(wanted);
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
  if (remote !== "" && remote !== "client-session") throw buildFaults.REMOTE_UNSUPPORTED(remote);
  if (query.text("version") === "2") throw httpFaults.NOT_IMPLEMENTED("builds by BuildKit's protocol");
  const asked = readRequest(request);
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
      context: request.body,
      signal: request.signal,
      onEvent: (event) => transcript.take(event),
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

function tagged(name: string): string {
  return /:[^/]*$/.test(name) ? name : `${name}:latest`;
}

function readRequest(request: ApiRequest) {
  const { query } = request;
  const target = query.text("target") ?? "";
  const platform = query.text("platform") ?? "";
  const network = query.text("networkmode") ?? "";
  const host = platformOfNode({ platform: process.platform, arch: process.arch });
  return {
    dockerfile: query.text("dockerfile") || "Dockerfile",
    ...(target !== "" && { target }),
    buildArgs: readMap(request, "buildargs"),
    labels: readMap(request, "labels"),
    names: query.texts("t").filter((name) => name !== "" && parseReference(name)),
    network: networkOf(network),
    ...(platform !== "" && { platform: parsePlatform(platform, host) }),
    noCache: query.flag("nocache"),
    pull: query.flag("pull"),
    limits: readLimits(request),
  };
}

/** Other networks than these two are the default one for builds. */
function networkOf(mode: string): "default" | "none" | "host" {
  return mode === "none" || mode === "host" ? mode : "default";
}

/** A JSON object of texts; `null`s, which mean "from the environment of the client", are nothing. */
function readMap(request: ApiRequest, name: string): Readonly<Record<string, string>> {
  const text = request.query.text(name) ?? "";
  if (text === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw httpFaults.QUERY_JSON(name).because(error);
  }
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw httpFaults.QUERY_JSON(name);
  const entries: [string, string][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (item === null) continue;
    if (typeof item !== "string") throw httpFaults.QUERY_JSON(name);
    entries.push([key, item]);
  }
  return Object.fromEntries(entries);
}

function readLimits({ query }: ApiRequest): Partial<HostConfig> {
  const numbers: Readonly<Record<string, keyof HostConfig>> = {
    memory: "memoryBytes",
    memswap: "memorySwapBytes",
    cpushares: "cpuShares",
    cpuperiod: "cpuPeriodUs",
    cpuquota: "cpuQuotaUs",
    shmsize: "shmSizeBytes",
  };
  const texts: Readonly<Record<string, keyof HostConfig>> = {
    cpusetcpus: "cpusetCpus",
    cpusetmems: "cpusetMems",
    cgroupparent: "cgroupParent",
  };
  const found: [string, unknown][] = [];
  for (const [name, field] of Object.entries(numbers)) {
    const value = query.integer(name);
    if (value !== undefined && value !== 0) found.push([field, value]);
  }
  for (const [name, field] of Object.entries(texts)) {
    const value = query.text(name) ?? "";
    if (value !== "") found.push([field, value]);
  }
  const hosts = query.texts("extrahosts").filter((host) => host !== "");
  if (hosts.length > 0) found.push(["extraHosts", hosts]);
  return Object.fromEntries(found) as Partial<HostConfig>;
}

const pruneFilterNames = [
  "until",
  "id",
  "unused-for",
  "type",
  "inuse",
  "shared",
  "private",
  "description",
  "parent",
] as const;

function prunedRecords(request: ApiRequest, nowMs: number): (record: BuildRecord) => boolean {
  const filters = parseFilters(request.query.text("filters"), pruneFilterNames);
  const [until] = [...(filters.get("until") ?? []), ...(filters.get("unused-for") ?? [])];
  const olderThanMs = until === undefined ? undefined : parseAge(until);
  const ids = filters.get("id");
  return ({ key, lastUsedMs }) =>
    (olderThanMs === undefined || nowMs - lastUsedMs >= olderThanMs) &&
    (ids === undefined || ids.some((id) => key.startsWith(id)));
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `24h`, `1h30m`. */
function parseAge(text: string): number {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) throw buildFaults.CACHE_FILTER(`until=${text}`);
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, number = "0", unit = "s"]) => sum + Number(number) * (unitMs[unit] ?? 0),
    0,
  );
}
