import { findingsOf, keepsGitDir, type Vertex } from "@hawser/build";
import {
  type BuildContainer,
  type BuildContextOfClient,
  type BuildWork,
  type CachePlaceRequest,
  type CheckedSource,
  type ContainerRequest,
  type Definition,
  type DockerfileOptions,
  type ExporterRequest,
  type FaultySource,
  grpcError,
  type NamedResult,
  type PlannedResult,
  type PlatformResult,
  type ResultFile,
  shownSteps,
} from "@hawser/build/grpc";
import { formatImageConfig, type Platform, platformOfNode } from "@hawser/oci";
import type { FilesRoot } from "@hawser/store";
import { createProvenance } from "../attest/provenance.ts";
import type { ResultFacts } from "../attest/result-facts.ts";
import type { BuildService } from "../build-service.ts";
import { BuildSources } from "../build-sources.ts";
import type { BuildState } from "../build-state.ts";
import { readExporter } from "../export/read-exporter.ts";
import { buildFaults } from "../faults.ts";
import type { BuiltImage, DockerfileRequest, ImageBuild, PlannedImage } from "../image-build.ts";
import { plannedConfig } from "../image-config.ts";
import type { ExportPorts } from "./export-result.ts";
import type { GivenFiles } from "./given-files.ts";
import { GraphBuilder, type GraphBuilderOptions } from "./graph-builder.ts";
import { lintSource } from "./lint-source.ts";
import { type KnownResult, ResultExports } from "./result-exports.ts";
import { lookAtFiles, readFilePart, rootOfState } from "./result-files.ts";
import { ignoring } from "./session-answers.ts";
import { SessionBuilds } from "./session-builds.ts";
import { SessionFolders } from "./session-folders.ts";
import { showImages } from "./show-images.ts";
import { ignoredVertices, inBuildkitsWords } from "./step-traits.ts";

/** What the record of a build has; its client takes out what it does not want (`BUILDX_METADATA_PROVENANCE`). */
const wholeProvenance = {
  mode: "max",
  version: "v0.2",
  filename: "",
  builderId: "",
  isReproducible: false,
  needsAll: false,
} as const;

/** How the results that clients have been told of are executed, each once, and what is known of how they are made. */
export type PlannedResults = WeakMap<PlannedResult, KnownResult>;

/** A build whose files, secrets and logins a client serves while it goes on. */
export class SessionBuild implements BuildWork {
  readonly #builds: SessionBuilds;
  readonly #ports: ExportPorts;
  readonly #context: BuildContextOfClient;
  readonly #folders: SessionFolders;
  readonly #given: GivenFiles | undefined;
  readonly #results: PlannedResults;
  /** Of graphs and containers that the client or a front end wants. */
  #opened: { readonly build: ImageBuild; readonly graphs: GraphBuilder } | undefined;
  /** Kept results are not used, or not all of them. */
  #isUncached = false;
  /** Digests of sources that were told what is wrong with them. */
  readonly #linted = new Set<string>();
  readonly #exports: ResultExports;

  constructor(
    builds: BuildService,
    {
      ports,
      context,
      results,
      given,
    }: {
      readonly ports: ExportPorts;
      readonly context: BuildContextOfClient;
      /** Of all builds: one may be the base of another. */
      readonly results: PlannedResults;
      readonly given?: GivenFiles;
    },
  ) {
    this.#given = given;
    const sources = given?.sources ?? new BuildSources();
    this.#results = results;
    this.#builds = new SessionBuilds({ builds, ports, context, given, sources });
    this.#ports = ports;
    this.#context = context;
    this.#folders = new SessionFolders(builds, { context, given, sources: sources.part() });
    const access = (domain: string) => this.#builds.access(domain);
    this.#exports = new ResultExports(
      { ...ports, ...context, access },
      {
        known: (result) => this.#known(result),
        begun: this.#builds.begun,
        imported: () => this.#builds.imported,
        isUncached: () => this.#isUncached,
        hold: (held) => this.#builds.use(held),
        beginApart: () => this.#builds.beginApart(),
      },
    );
  }

  async planDockerfile(
    options: DockerfileOptions,
    inputs: ReadonlyMap<string, PlannedResult>,
  ): Promise<PlannedResult> {
    const { progress } = this.#context;
    this.#beginRemote(options);
    const { digest, ...source } = await this.#folders.readSource(options);
    const build = this.#beginDockerfile(options, inputs);
    // Of several platforms one is enough to tell.
    const isFirst = !this.#linted.has(digest);
    this.#linted.add(digest);
    const check = options.buildArgs["BUILDKIT_DOCKERFILE_CHECK"];
    let planned: PlannedImage;
    try {
      planned = await build.plan(await this.#requestFor(options, source.text));
    } catch (error) {
      if (isFirst)
        lintSource(source, { digest, findings: findingsOf(error), check, progress, failure: error });
      throw grpcError(error, source);
    }
    if (isFirst) lintSource(source, { digest, findings: planned.plan.findings, check, progress });
    try {
      progress.announce(
        shownSteps(planned.plan, { platform: options.isOneOfSeveral ? options.platform : undefined }),
      );
      const config = formatImageConfig(plannedConfig(planned));
      const isIgnored = ignoredVertices(planned, options);
      const ignores = (vertex: Vertex) => isIgnored(vertex) && !this.#builds.made.has(vertex.digest);
      this.#isUncached ||= options.noCache === "all" || options.noCache.length > 0;
      const facts = {
        request: { frontend: "dockerfile.v0", ...options, text: source.text },
        plan: planned.plan,
        sources: [
          ...(build.sources ? [build.sources] : []),
          ...(options.contextUrl === undefined ? [] : [this.#folders.remote]),
        ],
        inputs: [...inputs.values()].flatMap((input) => this.#results.get(input)?.facts ?? []),
      };
      return this.#remember(
        { config },
        {
          build: () => build.execute(planned, ignores),
          scanned: () => build.executeScanned(planned),
          facts,
          source,
        },
      );
    } catch (error) {
      throw grpcError(error, source);
    }
  }

  #beginRemote({ contextUrl, buildArgs }: DockerfileOptions): void {
    if (contextUrl === undefined) return;
    this.#folders.beginRemote(contextUrl, { keepsGitDir: keepsGitDir(buildArgs) });
  }

  /** Begin the build that a Dockerfile asks for. */
  #beginDockerfile(options: DockerfileOptions, inputs: ReadonlyMap<string, PlannedResult>): ImageBuild {
    const { extraHosts, ulimits, cgroupParent, shmSizeBytes } = options;
    return this.#builds.begin({
      folder: (part) =>
        part.name === "context"
          ? this.#folders.folder({ ...part, name: options.contextName })
          : this.#folders.named(part),
      limits: {
        ...this.#given?.limits,
        ...(extraHosts.length > 0 && { extraHosts }),
        ...(ulimits.length > 0 && { ulimits }),
        ...(cgroupParent !== "" && { cgroupParent }),
        ...(shmSizeBytes !== undefined && { shmSizeBytes }),
      },
      pull: options.pull,
      showing: showImages(this.#context.progress, {
        platform: options.isOneOfSeveral ? options.platform : undefined,
      }),
      input: async (name) => {
        const input = inputs.get(name);
        if (input === undefined) throw buildFaults.INPUT_MISSING(name);
        return await this.#build(input);
      },
    });
  }

  async #requestFor(options: DockerfileOptions, source: string): Promise<DockerfileRequest> {
    const { entitlements } = this.#context;
    const { target, buildArgs, labels, network, contexts, platform } = options;
    const whole = await this.#folders.whole();
    return {
      source,
      buildArgs,
      labels,
      network,
      contexts,
      platform,
      entitlements,
      committedAtMs: this.#given?.committedAtMs ?? whole?.committedAtMs,
      isIgnored: ignoring(this.#folders.ignoredIn(options.contextName)),
      ...(target !== undefined && { target }),
    };
  }

  async planDefinition(
    definition: Definition,
    resultOf: (id: string) => PlannedResult,
  ): Promise<PlannedResult> {
    const { build, graphs } = this.#graphs;
    const inputs: ResultFacts[] = [];
    const planned = await graphs.plan(definition, async (id) => {
      const input = resultOf(id);
      inputs.push(this.#known(input).facts);
      return await this.#build(input);
    });
    const { root } = planned;
    const facts = { definition, plan: { root }, inputs, sources: build.sources ? [build.sources] : [] };
    return this.#remember({ config: undefined, definition }, { build: () => planned.execute(), facts });
  }

  get #graphs() {
    this.#opened ??= this.#openGraphs();
    return this.#opened;
  }

  #openGraphs() {
    const { entitlements, signal, progress } = this.#context;
    const build = this.#builds.begin({
      folder: (part) => this.#folders.folder(part),
      limits: { ...this.#given?.limits },
      pull: false,
      solveDefinition: async (bytes, { depth }) => await graphs.solve(bytes, depth),
    });
    const { images } = this.#ports;
    const announce: GraphBuilderOptions["announce"] = (steps) => progress.announce(steps);
    const graphs = new GraphBuilder(build, { images, entitlements, signal, announce });
    return { build, graphs };
  }

  /** A result that is executed when it is first needed. @param known.source that what fails may point into */
  #remember(
    result: PlannedResult,
    { build: execute, source, ...known }: KnownResult & { readonly source?: FaultySource },
  ): PlannedResult {
    let built: Promise<BuiltImage> | undefined;
    const build = async () => {
      built ??= execute();
      try {
        return await built;
      } catch (error) {
        throw grpcError(inBuildkitsWords(error), source);
      }
    };
    this.#results.set(result, { ...known, build });
    return result;
  }

  async readDockerfile(options: DockerfileOptions): Promise<CheckedSource> {
    this.#beginRemote(options);
    const { filename, text } = await this.#folders.readSource(options);
    return {
      filename,
      text,
      check: options.buildArgs["BUILDKIT_DOCKERFILE_CHECK"],
      plan: async () => {
        const build = this.#beginDockerfile(options, new Map());
        const request = await this.#requestFor(options, text);
        return (await build.plan(request, { configsOnly: true })).plan;
      },
    };
  }

  provenance(result: PlannedResult, platform: Platform = platformOfNode(process)) {
    return createProvenance(this.#known(result).facts, wholeProvenance, platform);
  }

  async evaluate(result: PlannedResult): Promise<void> {
    await this.#build(result);
  }

  checkExporter(exporter: ExporterRequest, isSeveral?: boolean): void {
    const { kind } = readExporter(exporter, isSeveral === undefined ? {} : { isIndex: isSeveral });
    this.#builds.becomesImage ||= kind !== "tree";
  }

  async export(
    result: PlannedResult | undefined,
    exporter: ExporterRequest,
  ): Promise<Readonly<Record<string, string>>> {
    return await this.#exports.export(result, exporter);
  }

  async exportPlatforms(
    results: ReadonlyMap<string, PlatformResult>,
    exporter: ExporterRequest,
  ): Promise<Readonly<Record<string, string>>> {
    return await this.#exports.exportPlatforms(results, exporter);
  }

  async exportCache(
    results: readonly PlannedResult[],
    place: CachePlaceRequest,
  ): Promise<Readonly<Record<string, string>>> {
    return await this.#exports.exportCache(results, place);
  }

  async readFile(
    result: PlannedResult,
    file: { readonly path: string; readonly offset: number; readonly maxBytes: number },
  ): Promise<Uint8Array> {
    return await readFilePart(await this.#rootOf(result), file, this.#context.signal);
  }

  async lookAtFiles(
    result: PlannedResult,
    at: { readonly path: string; readonly isInside: boolean },
  ): Promise<readonly ResultFile[]> {
    return await lookAtFiles(await this.#rootOf(result), at, this.#context.signal);
  }

  async #rootOf(result: PlannedResult): Promise<FilesRoot> {
    const { state } = await this.#build(result);
    return rootOfState(state, this.#ports.collaborators.snapshots);
  }

  async planImage(
    reference: string,
    { platform: wanted, pull }: { readonly platform?: Platform; readonly pull: boolean },
  ): Promise<NamedResult> {
    const { build } = this.#graphs;
    const { config, chainId, digest } = await build.images.resolve(reference, { platform: wanted, pull });
    const state: BuildState = { kind: "files", ...(chainId && { chainId }) };
    const bytes = formatImageConfig(config);
    const facts = { sources: build.sources ? [build.sources] : [], inputs: [] };
    const result = this.#remember({ config: bytes }, { build: async () => ({ state, config }), facts });
    return { result, config: bytes, ...(digest && { digest }) };
  }

  async openContainer(request: ContainerRequest): Promise<BuildContainer> {
    const { entitlements } = this.#context;
    if (request.network === "host" && !entitlements.includes("network.host"))
      throw buildFaults.NOT_ALLOWED("network.host");
    const inputs = await Promise.all(
      request.inputs.map(async (input) =>
        input === undefined ? undefined : (await this.#build(input)).state,
      ),
    );
    const container = await this.#graphs.build.openContainer({ ...request, inputs });
    this.#builds.use(container);
    return container;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _folders = this.#folders;
    await this.#builds[Symbol.asyncDispose]();
  }

  async #build(result: PlannedResult): Promise<BuiltImage> {
    return await this.#known(result).build();
  }

  #known(result: PlannedResult): KnownResult {
    const known = this.#results.get(result);
    if (known === undefined) throw buildFaults.RESULT_EMPTY();
    return known;
  }
}
