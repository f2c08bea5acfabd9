import { Fault } from "@hawser/base";
import { formatPlatform, type Platform, parseReference } from "@hawser/oci";
import { detectSyntax, type SyntaxLine, splitSyntax } from "../dockerfile/detect-syntax.ts";
import { withRange } from "../dockerfile/faults.ts";
import type { BuildJob, ReturnedResult } from "./build-job.ts";
import { protocolFaults } from "./faults.ts";
import { type FrontEndImageParts, runFrontEndImage } from "./front-end-image.ts";
import { type DockerfileOptions, readDockerfileOptions, readPlatforms } from "./frontend-options.ts";
import { grpcError } from "./grpc-error.ts";
import type { PassedResults } from "./passed-results.ts";
import { planSource, type SourceRequest } from "./plan-result.ts";
import type { BuildWork, PlannedResult } from "./ports.ts";
import { answerSubrequest, describeSubrequests } from "./subrequests.ts";

/** A front end asks another one so often. */
const maxDepth = 8;

/** This builder's own front end, under the names of the images that have it. */
const ownFrontEnds: ReadonlySet<string> = new Set(["docker/dockerfile", "docker/dockerfile-upstream"]);

export interface FrontEndsParts extends Omit<FrontEndImageParts, "frontEnds"> {
  readonly passed: PassedResults;
  readonly host: Platform;
}

/**
 * Front ends by name: `dockerfile.v0`, which is this builder's own, and `gateway.v0`, an image that is run. A source that names an
 * image in its first line is that image's, unless it is `docker/dockerfile` or whoever asks is one already (`cmdline`).
 */
export class FrontEnds {
  readonly #parts: FrontEndsParts;

  constructor(parts: FrontEndsParts) {
    this.#parts = parts;
  }

  /** @throws {Fault} what the source, the front end and its calls make of it */
  async solve(job: BuildJob, request: SourceRequest, signal: AbortSignal): Promise<ReturnedResult> {
    const { frontend, options } = request;
    if (job.depth >= maxDepth) throw protocolFaults.FRONTEND_TOO_DEEP(maxDepth);
    switch (frontend) {
      case "dockerfile.v0": {
        const foreign = await this.#foreignSyntax(job.work, options);
        return foreign === undefined
          ? await this.#solveOwn(job.work, request)
          : await this.#solveForeign(job, foreign, { ...request, signal });
      }
      case "gateway.v0": {
        const source = options["source"] ?? "";
        if (source === "") throw protocolFaults.FRONTEND_FAILED("no source specified for gateway");
        if (!isOwn(source)) return await this.#run(job, source, { ...request, signal });
        return await this.#solveOwn(job.work, { ...request, frontend: "dockerfile.v0" });
      }
      default:
        throw protocolFaults.CALL_UNKNOWN(`the front end ${JSON.stringify(frontend)}`);
    }
  }

  /** What the front end has no place for is about the line that names it. */
  async #solveForeign(
    job: BuildJob,
    { source, line, number }: SyntaxLine,
    request: SourceRequest & { readonly signal: AbortSignal },
  ): Promise<ReturnedResult> {
    const options = { ...request.options, cmdline: line, source };
    try {
      return await this.#run(job, source, { ...request, options });
    } catch (error) {
      if (number === undefined || !Fault.is(error)) throw error;
      const text = await job.work.readDockerfile(readDockerfileOptions(request.options, this.#parts.host));
      throw grpcError(withRange(error, { firstLine: number, lastLine: number }), text);
    }
  }

  async #run(
    job: BuildJob,
    source: string,
    { options, inputs, signal }: SourceRequest & { readonly signal: AbortSignal },
  ): Promise<ReturnedResult> {
    const named = /^docker-image:\/\/(.+)$/.exec(options[`context:${source}`] ?? "")?.[1];
    const request = { source, image: named ?? source, options, inputs, signal };
    return await runFrontEndImage(job, request, { ...this.#parts, frontEnds: this });
  }

  async #solveOwn(work: BuildWork, request: SourceRequest): Promise<ReturnedResult> {
    const { host } = this.#parts;
    const { options } = request;
    const question = options["requestid"] ?? "";
    const platforms = readPlatforms(options, host);
    const isSeveral = platforms.length > 1 || /^(1|t|true)$/i.test(options["multi-platform"] ?? "");
    if (question === "" && isSeveral) {
      return await this.#solveSeveral(work, request, platforms.length > 0 ? platforms : [host]);
    }
    if (question === "") {
      const result = await planSource(work, request, this.#parts);
      return {
        result,
        metadata: { ...(result.config && { "containerimage.config": result.config }) },
      };
    }
    const source =
      question === describeSubrequests
        ? { filename: "", text: "" }
        : await work.readDockerfile(readDockerfileOptions(options, host));
    return { result: undefined, metadata: await answerSubrequest(question, source) };
  }

  /** An image for each platform, under the names that BuildKit's front end gives them. */
  async #solveSeveral(
    work: BuildWork,
    request: SourceRequest,
    platforms: readonly Platform[],
  ): Promise<ReturnedResult> {
    const results = new Map<string, PlannedResult>();
    const configs: [string, Uint8Array][] = [];
    for (const platform of platforms) {
      const name = formatPlatform(platform);
      const options = { ...request.options, platform: name };
      const result = await planSource(
        work,
        { ...request, options },
        { ...this.#parts, isOneOfSeveral: true },
      );
      results.set(name, result);
      if (result.config !== undefined) configs.push([`containerimage.config/${name}`, result.config]);
    }
    const told = {
      Platforms: platforms.map((platform) => ({ ID: formatPlatform(platform), Platform: platform })),
    };
    const metadata = { "refs.platforms": Buffer.from(JSON.stringify(told)), ...Object.fromEntries(configs) };
    return { result: undefined, platforms: results, metadata };
  }

  /** The image that a source wants to be read by; `undefined`: it is a Dockerfile for this builder. */
  async #foreignSyntax(work: BuildWork, options: SourceRequest["options"]): Promise<SyntaxLine | undefined> {
    if ("cmdline" in options) return undefined;
    const given = options["build-arg:BUILDKIT_SYNTAX"];
    const syntax = given === undefined ? await this.#syntaxOf(work, options) : splitSyntax(given);
    return syntax === undefined || isOwn(syntax.source) ? undefined : syntax;
  }

  async #syntaxOf(work: BuildWork, options: SourceRequest["options"]): Promise<SyntaxLine | undefined> {
    const isAboutNothing = options["requestid"] === describeSubrequests;
    let read: DockerfileOptions;
    try {
      read = readDockerfileOptions(options, this.#parts.host);
    } catch (error) {
      if (isAboutNothing) return undefined;
      throw error;
    }
    try {
      return detectSyntax((await work.readDockerfile(read)).text);
    } catch (error) {
      if (isAboutNothing) return undefined; // there may be no source at all
      throw error;
    }
  }
}

function isOwn(source: string): boolean {
  try {
    const { domain, path } = parseReference(source);
    return domain === "docker.io" && ownFrontEnds.has(path);
  } catch {
    return false; // told when it is looked for
  }
}
