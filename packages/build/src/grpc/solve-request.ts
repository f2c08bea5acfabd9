import { type Platform, parsePlatform } from "@hawser/oci";
import { readAttestations } from "./attestations.ts";
import type { BuildHistory, OpenRecord } from "./build-history.ts";
import { BuildJob, type BuildJobs, type ReturnedResult } from "./build-job.ts";
import { type CachePlaces, readCachePlaces } from "./cache-places.ts";
import { protocolFaults } from "./faults.ts";
import type { FrontEnds } from "./front-ends.ts";
import type { SolveRequest } from "./generated/control_pb.ts";
import type { PassedResults } from "./passed-results.ts";
import { planGraph } from "./plan-result.ts";
import type { BuildContextOfClient, Builder, ExporterRequest, PlatformResult } from "./ports.ts";
import { BuildProgress } from "./progress.ts";
import type { Sessions } from "./sessions.ts";

export interface SolveParts {
  readonly jobs: BuildJobs;
  readonly sessions: Sessions;
  readonly history: BuildHistory;
  readonly passed: PassedResults;
  readonly frontEnds: FrontEnds;
  readonly host: Platform;
  readonly now: () => number;
}

/**
 * A build from its request to its end: by a front end of this builder's, or by the client itself through the gateway.
 *
 * @returns what is told of the result, by BuildKit's names
 * @throws {Fault} what the request, the source and its processes make of it
 */
export async function solveRequest(
  builder: Builder,
  request: SolveRequest,
  parts: SolveParts & { readonly signal: AbortSignal; readonly archive?: AsyncIterable<Uint8Array> },
): Promise<Record<string, string>> {
  const { jobs, sessions, history, now, signal, archive } = parts;
  const progress = new BuildProgress({ now });
  using record = history.begin(request, progress);
  try {
    using _reserved = jobs.reserve(request.ref, progress);
    refuseUnknown(request);
    const session = request.session === "" ? undefined : await sessions.get(request.session, signal);
    const { entitlements } = request;
    const caches = readCachePlaces(request);
    const { imports: cacheImports } = caches;
    const context = { session, entitlements, progress, cacheImports, signal, ...(archive && { archive }) };
    const response = await solve(builder, request, { ...parts, context, caches, record });
    record.complete(response);
    return response;
  } catch (error) {
    record.fail(error);
    throw error;
  }
}

async function solve(
  builder: Builder,
  request: SolveRequest,
  {
    jobs,
    frontEnds,
    passed,
    host,
    context,
    caches,
    record,
  }: SolveParts & {
    readonly context: BuildContextOfClient;
    readonly caches: CachePlaces;
    readonly record: OpenRecord;
  },
): Promise<Record<string, string>> {
  const { progress, signal } = context;
  await using work = await builder.open(context);
  for (const exporter of exportersOf(request)) work.checkExporter(exporter);
  await using job = new BuildJob({ id: request.ref, progress, work, session: request.session });
  jobs.add(job);
  const { frontend, frontendAttrs: options, frontendInputs: inputs, definition } = request;
  if (frontend !== "") {
    job.settle(await frontEnds.solve(job, { frontend, options, inputs }, signal));
  } else if (definition !== undefined && definition.def.length > 0) {
    job.settle({ result: await planGraph(work, definition, passed), metadata: {} });
  }
  const outcome = await job.outcome(signal);
  const { result, metadata } = outcome;
  const platforms = platformsOf(outcome, host);
  // The answer to a question about the source is for whoever asked, and nothing to bring anywhere.
  const exporters = "result.json" in metadata ? [] : exportersOf(request);
  for (const exporter of exporters) work.checkExporter(exporter, platforms !== undefined);
  const response: Record<string, string> = Object.fromEntries(
    Object.entries(metadata).flatMap(([name, value]) =>
      name.startsWith("result.") ? [[name, Buffer.from(value).toString()] as const] : [],
    ),
  );
  const all = [...(result ? [result] : []), ...[...(platforms?.values() ?? [])].map((one) => one.result)];
  if (exporters.length === 0) {
    await Promise.all(all.map((one) => work.evaluate(one)));
  }
  if (platforms !== undefined) {
    for (const exporter of exporters) {
      const wanted = { ...exporter, hasInlineCache: caches.isInline };
      Object.assign(response, await work.exportPlatforms(platforms, wanted));
    }
  }
  const config = metadata["containerimage.config"];
  for (const exporter of platforms === undefined ? exporters : []) {
    const wanted = { ...exporter, config, hasInlineCache: caches.isInline };
    Object.assign(response, await work.export(result, wanted));
  }
  for (const place of caches.exports) Object.assign(response, await work.exportCache(all, place));
  const results = [...(platforms ?? [])].map(([name, one]) => ({ name, ...one }));
  record.say([
    ...(result ? [{ platform: undefined, ...work.provenance(result, undefined) }] : []),
    ...results.map(({ name, platform, result: one }) => ({
      platform: name,
      ...work.provenance(one, platform),
    })),
  ]);
  return response;
}

/**
 * Results by platform; `undefined`: it is a build of one. A single one that nobody wants an index of is not in here.
 *
 * @throws {Fault} `invalid-argument` for a name that is no platform's
 */
function platformsOf(
  { platforms, metadata }: ReturnedResult,
  host: Platform,
): ReadonlyMap<string, PlatformResult> | undefined {
  if (platforms === undefined) return undefined;
  // What comes by name comes in any order.
  const order = namesIn(metadata["refs.platforms"]);
  const sorted = [...platforms].toSorted(
    ([a], [b]) => order.indexOf(a) - order.indexOf(b) || (a < b ? -1 : 1),
  );
  const results = sorted.map(([name, result]): [string, PlatformResult] => {
    const config = metadata[`containerimage.config/${name}`];
    return [
      name,
      { result, platform: parsePlatform(name, host), config: config ?? metadata["containerimage.config"] },
    ];
  });
  return new Map(results);
}

/** The order in which a front end names its results. */
function namesIn(told: Uint8Array | undefined): readonly string[] {
  if (told === undefined) return [];
  try {
    const { Platforms } = JSON.parse(Buffer.from(told).toString()) as {
      readonly Platforms?: readonly { readonly ID: string }[];
    };
    return (Platforms ?? []).map(({ ID }) => ID);
  } catch (error) {
    throw protocolFaults.FRONTEND_FAILED("refs.platforms of a result is no JSON of that kind").because(error);
  }
}

/** What would be left out in silence otherwise. */
function refuseUnknown(request: SolveRequest): void {
  const { definition, frontend, sourcePolicy, sourcePolicySession, entitlements } = request;
  if (frontend !== "" && definition !== undefined && definition.def.length > 0) {
    throw protocolFaults.FRONTEND_FAILED("cannot solve with both Definition and Frontend specified");
  }
  if (sourcePolicy !== undefined || sourcePolicySession !== "") {
    throw protocolFaults.CALL_UNKNOWN("a policy of sources");
  }
  for (const name of entitlements) {
    if (!["network.host", "security.insecure"].includes(name)) throw protocolFaults.ENTITLEMENT_UNKNOWN(name);
  }
}

function exportersOf(request: SolveRequest): readonly ExporterRequest[] {
  const attestations = readAttestations(request.frontendAttrs);
  if (request.exporters.length > 0) {
    return request.exporters.map(({ type, attrs: attributes }, id) => ({
      id,
      type,
      attributes,
      attestations,
    }));
  }
  const { exporterDeprecated: type, exporterAttrsDeprecated: attributes } = request;
  return type === "" ? [] : [{ id: 0, type, attributes, attestations }];
}
