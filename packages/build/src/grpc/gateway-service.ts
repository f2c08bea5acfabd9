import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Platform } from "@hawser/oci";
import type { BuildJob } from "./build-job.ts";
import { protocolFaults } from "./faults.ts";
import { readDockerfileOptions } from "./frontend-options.ts";
import type { LLBBridge, Result, ResultSchema, SolveRequest } from "./generated/gateway_pb.ts";
import { DefinitionSchema } from "./generated/llb_pb.ts";
import { grpcError } from "./grpc-error.ts";
import { planGraph, planSource } from "./plan-result.ts";
import type { Builder, PlannedResult } from "./ports.ts";
import type { SolveParts } from "./solve-request.ts";
import { answerSubrequest, describeSubrequests } from "./subrequests.ts";
import { workerRecord } from "./worker-record.ts";

/** What this builder's gateway can do, by BuildKit's names of it. */
const gatewayCapabilities = [
  "solve.base",
  "solve.inlinereturn",
  "readfile",
  "frontend.caps",
  "frontend.inputs",
  "return",
  "proto.refarray",
  "reference.output",
  "gateway.solve.metadata",
  "gateway.solve.evaluate",
  "gateway.evaluate",
  "gateway.warnings",
];

/** What can be asked of results, by BuildKit's names of it. */
const llbCapabilities = ["source.image", "source.local", "exporter.multiple", "exporter.sourcedateepoch"];

/**
 * BuildKit's `LLBBridge`: a front end's way to have a build done. Clients such as buildx are a front end of their own that asks for
 * the front end `dockerfile.v0` and hands back what it gets.
 */
export function gatewayService(
  builder: Builder,
  { jobs, passed, host }: Pick<SolveParts, "jobs" | "passed" | "host">,
): Partial<ServiceImpl<typeof LLBBridge>> {
  const jobOf = async (context: HandlerContext): Promise<BuildJob> => {
    try {
      return await jobs.job(context.requestHeader.get("buildkit-controlapi-buildid") ?? "", context.signal);
    } catch (error) {
      throw grpcError(error);
    }
  };
  return {
    async ping(_request, context) {
      await jobOf(context);
      const capabilities = gatewayCapabilities.map((id) => ({ id, enabled: true }));
      return {
        frontendApiCaps: capabilities,
        llbCaps: llbCapabilities.map((id) => ({ id, enabled: true })),
        workers: [workerRecord(builder.about)],
      };
    },
    async solve(request, context) {
      const job = await jobOf(context);
      const question = request.frontendOpt["requestid"] ?? "";
      if (question !== "") return { result: { metadata: await answer(job, question, { request, host }) } };
      const planned = await solve(job, request, { passed, host });
      const id = job.add(planned);
      const result: MessageInitShape<typeof ResultSchema> = {
        result: request.allowResultArrayRef
          ? { case: "ref", value: { id, def: passed.describe(id, planned) } }
          : { case: "refDeprecated", value: id },
        metadata: { ...(planned.config && { "containerimage.config": planned.config }) },
      };
      return request.allowResultReturn ? { result } : { ref: id };
    },
    async evaluate({ ref }, context) {
      const job = await jobOf(context);
      try {
        await job.work.evaluate(job.get(ref));
      } catch (thrown) {
        const error = grpcError(thrown);
        job.noteFailure(error);
        throw error;
      }
      return {};
    },
    async readFile({ ref, filePath, range }, context) {
      const job = await jobOf(context);
      const { offset = 0n, length = 0n } = range ?? {};
      try {
        const maxBytes = length > 0n ? Math.min(Number(length), maxFileBytes) : maxFileBytes;
        const file = { path: filePath, offset: Number(offset), maxBytes };
        return { data: await job.work.readFile(job.get(ref), file) };
      } catch (error) {
        throw grpcError(error);
      }
    },
    async return({ result, error }, context) {
      const job = await jobOf(context);
      if (error !== undefined && error.code !== 0) {
        job.fail(job.findFailure(error.message) ?? protocolFaults.FRONTEND_FAILED(error.message));
        return {};
      }
      try {
        job.settle({ result: resultOf(job, result?.result), metadata: result?.metadata ?? {} });
      } catch (thrown) {
        job.fail(thrown);
        throw grpcError(thrown);
      }
      return {};
    },
    async inputs() {
      return { definitions: {} };
    },
    async warn(request, context) {
      const job = await jobOf(context);
      const { digest, level, short, detail, url, info, ranges } = request;
      job.progress.warn({ vertex: digest, level, short, detail, url, ...(info && { info }), ranges });
      return {};
    },
  };
}

async function answer(
  job: BuildJob,
  question: string,
  { request, host }: { readonly request: SolveRequest; readonly host: Platform },
): Promise<Record<string, Uint8Array>> {
  try {
    const source =
      question === describeSubrequests
        ? { filename: "", text: "" }
        : await job.work.readDockerfile(readDockerfileOptions(request.frontendOpt, host));
    return { ...answerSubrequest(question, source) };
  } catch (error) {
    throw grpcError(error);
  }
}

async function solve(
  job: BuildJob,
  request: SolveRequest,
  { passed, host }: Pick<SolveParts, "passed" | "host">,
): Promise<PlannedResult> {
  try {
    const { definition, frontend, frontendOpt, frontendInputs } = request;
    const planned =
      frontend === ""
        ? await planGraph(job.work, definition ?? create(DefinitionSchema), passed)
        : await planSource(
            job.work,
            { frontend, options: frontendOpt, inputs: frontendInputs },
            { passed, host },
          );
    if (request.evaluate) await job.work.evaluate(planned);
    return planned;
  } catch (thrown) {
    const error = grpcError(thrown);
    job.noteFailure(error);
    throw error;
  }
}

function resultOf(job: BuildJob, result: Result["result"] | undefined): PlannedResult | undefined {
  const find = (id: string) => (id === "" ? undefined : job.get(id));
  switch (result?.case) {
    case "ref":
      return find(result.value.id);
    case "refDeprecated":
      return find(result.value);
    case "refs":
      return find(onlyOne(Object.values(result.value.refs))?.id ?? "");
    case "refsDeprecated":
      return find(onlyOne(Object.values(result.value.refs)) ?? "");
    case undefined:
      return undefined;
  }
}

function onlyOne<T>(results: readonly T[]): T | undefined {
  if (results.length > 1) throw protocolFaults.CALL_UNKNOWN("a build for several platforms");
  return results[0];
}

const maxFileBytes = 8 << 20;
