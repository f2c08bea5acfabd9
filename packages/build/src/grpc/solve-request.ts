import type { BuildHistory } from "./build-history.ts";
import { BuildJob, type BuildJobs, type ReturnedResult } from "./build-job.ts";
import { protocolFaults } from "./faults.ts";
import type { FrontEnds } from "./front-ends.ts";
import type { SolveRequest } from "./generated/control_pb.ts";
import type { PassedResults } from "./passed-results.ts";
import { planGraph } from "./plan-result.ts";
import type { BuildContextOfClient, Builder, ExporterRequest } from "./ports.ts";
import { BuildProgress } from "./progress.ts";
import type { Sessions } from "./sessions.ts";

export interface SolveParts {
  readonly jobs: BuildJobs;
  readonly sessions: Sessions;
  readonly history: BuildHistory;
  readonly passed: PassedResults;
  readonly frontEnds: FrontEnds;
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
    const context = { session, entitlements, progress, signal, ...(archive && { archive }) };
    const response = await solve(builder, request, { ...parts, context });
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
  { jobs, frontEnds, passed, context }: SolveParts & { readonly context: BuildContextOfClient },
): Promise<Record<string, string>> {
  const { progress, signal } = context;
  await using work = await builder.open(context);
  await using job = new BuildJob({ id: request.ref, progress, work, session: request.session });
  jobs.add(job);
  const { frontend, frontendAttrs: options, frontendInputs: inputs, definition } = request;
  if (frontend !== "") {
    job.settle(await frontEnds.solve(job, { frontend, options, inputs }, signal));
  } else if (definition !== undefined && definition.def.length > 0) {
    job.settle({ result: await planGraph(work, definition, passed), metadata: {} });
  }
  const { result, metadata } = onePlatform(await job.outcome(signal));
  // The answer to a question about the source is for whoever asked, and nothing to bring anywhere.
  const exporters = "result.json" in metadata ? [] : exportersOf(request);
  const response: Record<string, string> = Object.fromEntries(
    Object.entries(metadata).flatMap(([name, value]) =>
      name.startsWith("result.") ? [[name, Buffer.from(value).toString()] as const] : [],
    ),
  );
  if (exporters.length === 0 && result !== undefined) await work.evaluate(result);
  const config = metadata["containerimage.config"];
  for (const exporter of exporters)
    Object.assign(response, await work.export(result, { ...exporter, config }));
  return response;
}

/** The only result of a build for one platform. */
function onePlatform({ result, platforms, metadata }: ReturnedResult): ReturnedResult {
  if (platforms === undefined) return { result, metadata };
  const [only, ...more] = platforms;
  if (more.length > 0) throw protocolFaults.CALL_UNKNOWN("a build for several platforms");
  const [name, single] = only ?? ["", undefined];
  const config = metadata[`containerimage.config/${name}`] ?? metadata["containerimage.config"];
  return { result: single, metadata: { ...metadata, ...(config && { "containerimage.config": config }) } };
}

/** What would be left out in silence otherwise. */
function refuseUnknown(request: SolveRequest): void {
  const { definition, frontend, cache, sourcePolicy, sourcePolicySession, entitlements } = request;
  if (frontend !== "" && definition !== undefined && definition.def.length > 0) {
    throw protocolFaults.FRONTEND_FAILED("cannot solve with both Definition and Frontend specified");
  }
  if (cache?.exports.some(({ type }) => type !== "inline") === true) {
    throw protocolFaults.CALL_UNKNOWN("an export of kept results");
  }
  if (sourcePolicy !== undefined || sourcePolicySession !== "") {
    throw protocolFaults.CALL_UNKNOWN("a policy of sources");
  }
  for (const name of entitlements) {
    if (!["network.host", "security.insecure"].includes(name)) throw protocolFaults.ENTITLEMENT_UNKNOWN(name);
  }
}

function exportersOf(request: SolveRequest): readonly ExporterRequest[] {
  if (request.exporters.length > 0) {
    return request.exporters.map(({ type, attrs }, id) => ({ id, type, attributes: attrs }));
  }
  const { exporterDeprecated: type, exporterAttrsDeprecated: attributes } = request;
  return type === "" ? [] : [{ id: 0, type, attributes }];
}
