import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { BuildJob, ReturnedResult } from "./build-job.ts";
import { gatewayCapabilities, llbCapabilities } from "./capabilities.ts";
import { protocolFaults } from "./faults.ts";
import type { FrontEnds } from "./front-ends.ts";
import { readFolder, statFile } from "./gateway-files.ts";
import { resolveImageConfig, resolveSource } from "./gateway-sources.ts";
import type { LLBBridge, RefSchema, Result, ResultSchema, SolveRequest } from "./generated/gateway_pb.ts";
import { DefinitionSchema } from "./generated/llb_pb.ts";
import { grpcError } from "./grpc-error.ts";
import type { PassedResults } from "./passed-results.ts";
import { planGraph } from "./plan-result.ts";
import type { BuilderTraits, PlannedResult } from "./ports.ts";
import { workerRecord } from "./worker-record.ts";

export interface GatewayParts {
  readonly about: BuilderTraits;
  readonly frontEnds: FrontEnds;
  readonly passed: PassedResults;
  /** The build that a call is about. @throws {Fault} `not-found` */
  readonly jobOf: (context: HandlerContext) => Promise<BuildJob>;
}

/**
 * BuildKit's `LLBBridge`: a front end's way to have a build done. Clients such as buildx are a front end of their own that asks for
 * the front end `dockerfile.v0` and hands back what it gets; images that are front ends have it on their standard input and output.
 */
export function gatewayService(parts: GatewayParts): Partial<ServiceImpl<typeof LLBBridge>> {
  const { about, frontEnds, passed } = parts;
  /** Do what a call asks for. Whatever is thrown is an error of gRPC's then. */
  const call = async <T>(context: HandlerContext, work: (job: BuildJob) => Promise<T>): Promise<T> => {
    try {
      return await work(await parts.jobOf(context));
    } catch (error) {
      throw grpcError(error);
    }
  };
  /** Likewise, for what a front end may hand back as its own failure. */
  const noted = <T>(context: HandlerContext, work: (job: BuildJob) => Promise<T>): Promise<T> =>
    call(context, async (job) => {
      try {
        return await work(job);
      } catch (thrown) {
        const error = grpcError(thrown);
        job.noteFailure(error);
        throw error;
      }
    });
  return {
    ping: async (_request, context) =>
      await call(context, async () => ({
        frontendApiCaps: gatewayCapabilities.map((id) => ({ id, enabled: true })),
        llbCaps: llbCapabilities.map((id) => ({ id, enabled: true })),
        workers: [workerRecord(about)],
      })),
    solve: async (request, context) =>
      await noted(context, async (job) => {
        const solved = await solve(job, request, { frontEnds, passed, signal: context.signal });
        if (!request.allowResultReturn)
          return { ref: solved.result === undefined ? "" : job.add(solved.result) };
        return { result: describe(job, solved, { passed, isPlain: !request.allowResultArrayRef }) };
      }),
    evaluate: async ({ ref }, context) =>
      await noted(context, async (job) => {
        await job.work.evaluate(job.get(ref));
        return {};
      }),
    resolveImageConfig: async (request, context) =>
      await noted(context, async ({ work }) => await resolveImageConfig(work, request)),
    resolveSourceMeta: async (request, context) =>
      await noted(context, async ({ work }) => await resolveSource(work, request)),
    readFile: async ({ ref, filePath, range }, context) =>
      await call(context, async (job) => {
        const { offset = 0n, length = 0n } = range ?? {};
        const maxBytes = length > 0n ? Math.min(Number(length), maxFileBytes) : maxFileBytes;
        const file = { path: filePath, offset: Math.max(0, Number(offset)), maxBytes };
        return { data: await job.work.readFile(job.get(ref), file) };
      }),
    readDir: async (request, context) =>
      await call(context, async (job) => ({
        entries: [...(await readFolder(job.work, job.get(request.ref), request))],
      })),
    statFile: async ({ ref, path }, context) =>
      await call(context, async (job) => ({ stat: await statFile(job.work, job.get(ref), path) })),
    return: async ({ result, error }, context) =>
      await call(context, async (job) => {
        if (error !== undefined && error.code !== 0) {
          job.fail(job.findFailure(error.message) ?? failureOf(error));
          return {};
        }
        try {
          job.settle({ ...resultOf(job, result?.result), metadata: result?.metadata ?? {} });
        } catch (thrown) {
          job.fail(thrown);
          throw thrown;
        }
        return {};
      }),
    inputs: async (_request, context) =>
      await call(context, async ({ inputs }) => ({ definitions: { ...inputs } })),
    newContainer: async (request, context) =>
      await noted(context, async ({ containers }) => {
        await containers.open(request);
        return {};
      }),
    releaseContainer: async ({ containerId }, context) =>
      await call(context, async ({ containers }) => {
        await containers.release(containerId);
        return {};
      }),
    async *execProcess(messages, context) {
      const { containers } = await call(context, async (job) => job);
      yield* containers.exec(messages);
    },
    warn: async (request, context) =>
      await call(context, async ({ progress }) => {
        const { digest, level, short, detail, url, info, ranges } = request;
        progress.warn({ vertex: digest, level, short, detail, url, ...(info && { info }), ranges });
        return {};
      }),
  };
}

async function solve(
  job: BuildJob,
  { definition, frontend, frontendOpt: options, frontendInputs: inputs, evaluate }: SolveRequest,
  {
    frontEnds,
    passed,
    signal,
  }: Pick<GatewayParts, "frontEnds" | "passed"> & { readonly signal: AbortSignal },
): Promise<ReturnedResult> {
  const solved =
    frontend === ""
      ? {
          result: await planGraph(job.work, definition ?? create(DefinitionSchema), passed),
          metadata: {},
        }
      : await frontEnds.solve(job, { frontend, options, inputs }, signal);
  if (evaluate) {
    const all = [solved.result, ...(solved.platforms?.values() ?? [])];
    await Promise.all(all.map(async (one) => one && (await job.work.evaluate(one))));
  }
  return solved;
}

/** A result as a front end is told of it. @param options.isPlain the front end is of a time before graphs came with results */
function describe(
  job: BuildJob,
  { result, platforms, metadata }: ReturnedResult,
  { passed, isPlain }: { readonly passed: PassedResults; readonly isPlain: boolean },
): MessageInitShape<typeof ResultSchema> {
  const refOf = (one: PlannedResult): MessageInitShape<typeof RefSchema> => {
    const id = job.add(one);
    return isPlain ? { id } : { id, def: passed.describe(id, one) };
  };
  const told = { metadata: { ...metadata } };
  if (platforms !== undefined) {
    const refs = Object.fromEntries([...platforms].map(([name, one]) => [name, refOf(one)]));
    if (!isPlain) return { ...told, result: { case: "refs", value: { refs } } };
    const ids = Object.fromEntries(Object.entries(refs).map(([name, { id = "" }]) => [name, id]));
    return { ...told, result: { case: "refsDeprecated", value: { refs: ids } } };
  }
  if (result === undefined) return told;
  const ref = refOf(result);
  return isPlain
    ? { ...told, result: { case: "refDeprecated", value: ref.id ?? "" } }
    : { ...told, result: { case: "ref", value: ref } };
}

/** The failure that a front end has, with what it says of where. */
function failureOf({
  code,
  message,
  details,
}: {
  readonly code: number;
  readonly message: string;
  readonly details: readonly { readonly typeUrl: string; readonly value: Uint8Array }[];
}): unknown {
  if (!isCode(code)) return protocolFaults.FRONTEND_FAILED(message);
  const error = new ConnectError(message, code);
  error.details = details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  return error;
}

/** gRPC's status codes. */
function isCode(code: number): code is Code {
  return Number.isInteger(code) && code >= 1 && code <= 16;
}

function resultOf(
  job: BuildJob,
  result: Result["result"] | undefined,
): Pick<ReturnedResult, "result" | "platforms"> {
  const single = (id: string) => ({ result: id === "" ? undefined : job.get(id) });
  const several = (ids: readonly (readonly [string, string])[]) => {
    const platforms = new Map(ids.map(([name, id]) => [name, job.get(id)]));
    return { result: undefined, platforms };
  };
  switch (result?.case) {
    case "ref":
      return single(result.value.id);
    case "refDeprecated":
      return single(result.value);
    case "refs":
      return several(Object.entries(result.value.refs).map(([name, { id }]) => [name, id]));
    case "refsDeprecated":
      return several(Object.entries(result.value.refs));
    case undefined:
      return { result: undefined };
  }
}

const maxFileBytes = 8 << 20;
