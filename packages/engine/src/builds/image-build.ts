import type { Logger } from "@hawser/base";
import {
  type BaseImage,
  type BuildPlan,
  type OpRun,
  type PlanRequest,
  planDockerfile,
  type Solver,
  type Vertex,
  type VertexEvent,
  withRange,
} from "@hawser/build";
import type { BuildContainer } from "@hawser/build/grpc";
import { type ChainId, type Platform, platformOfNode, platformsMatch } from "@hawser/oci";
import type { HostConfig } from "@hawser/runtime";
import { prepareWorkers } from "@hawser/store";
import type { RemoteImages } from "../images/remote-images.ts";
import { BuildImages, type BuildImagesOptions, type BuildImagesParts } from "./build-images.ts";
import type { BuildSources } from "./build-sources.ts";
import type { BuildState } from "./build-state.ts";
import { type OpenContainerRequest, openBuildContainer } from "./buildkit/build-container.ts";
import { type ImportedResults, isCacheFailure } from "./cache/imported-results.ts";
import { buildFaults } from "./faults.ts";
import { configOf, type ResultConfig } from "./image-config.ts";
import { resultKeys } from "./op-keys.ts";
import { keyOfInputs } from "./op-results.ts";
import { createOpRunner } from "./op-runner.ts";
import type { BuildFiles, BuildScope, OpRunnerParts } from "./op-scope.ts";
import { type SealedChain, sealResult } from "./seal-result.ts";
import { SealsAhead } from "./seals-ahead.ts";

export interface ImageBuildParts extends OpRunnerParts {
  /** Where images are, and results of other builders. */
  readonly registry: BuildImagesParts["registry"] & Pick<RemoteImages, "openRepository">;
  readonly solver: Solver<BuildState>;
  readonly log: Logger;
}

export interface ImageBuildOptions extends BuildImagesOptions {
  readonly files: BuildFiles;
  /** Of the processes of `RUN`. */
  readonly limits: Partial<HostConfig>;
  /** Whether a Dockerfile's result goes anywhere as an image: archives of its layers are made while later steps go on. */
  readonly becomesImage: () => boolean;
  /** Results of other builds by the names that the plan's contexts have for them, `input:name`. */
  readonly input?: (name: string) => Promise<BuiltImage>;
  readonly onEvent: (event: VertexEvent) => void;
  readonly onContainer: (vertex: Vertex, id: string) => void;
  /** Results of other builders. */
  readonly imported?: ImportedResults | undefined;
  /** Solve a graph that is in a file of another one. @param run.depth how many there are around it */
  readonly solveDefinition?: (
    bytes: Uint8Array,
    run: OpRun & { readonly depth: number },
  ) => Promise<BuildState>;
}

/** Vertices of a client's or a front end's making. */
export interface BuildGraph {
  /** `undefined`: an empty file system. */
  readonly root: Vertex | undefined;
  /** By digests: no file of a vertex' result is younger; absent: 1970. */
  readonly epochs: Pick<ReadonlyMap<string, number>, "get">;
  /** Digests of those whose kept results are not used. */
  readonly ignored: ReadonlySet<string>;
  /** How many graphs there are around it. */
  readonly depth?: number;
}

const maxGraphDepth = 4;

const maxOthers = 3;

/** A Dockerfile's plan. */
export interface PlannedImage {
  readonly plan: BuildPlan;
  /** No file of the result is younger. */
  readonly epochMs: number;
  /** What the image says of its time: that of the commit does not make layers others than they were. */
  readonly createdMs: number;
  readonly platform: Platform | undefined;
}

/** A plan that was executed. */
export interface BuiltImage {
  readonly config: ResultConfig;
  readonly state: BuildState;
}

/** What a vertex has come to, and of what. */
export interface VertexResult {
  readonly chainId: ChainId;
  readonly inputs: readonly BuildState[];
  /** What it is kept under where these are the inputs. */
  readonly keyOf: (inputs: readonly BuildState[]) => string;
}

/** What a Dockerfile is, and how it is to be built. */
export type DockerfileRequest = Omit<PlanRequest, "platform" | "buildPlatform" | "sourceDate"> & {
  readonly platform?: Platform | undefined;
  /** When the source was committed, where that is known. */
  readonly committedAtMs?: number | undefined;
};

/** One build: plans and executes, and keeps what it uses from collection until it is disposed of. */
export class ImageBuild implements Disposable {
  readonly #parts: ImageBuildParts;
  readonly #options: ImageBuildOptions;
  readonly #holds = new DisposableStack();
  readonly #results = new Map<string, VertexResult>();
  readonly #sealsAhead: SealsAhead;
  /** What it begins with. */
  readonly images: BuildImages;

  constructor(parts: ImageBuildParts, options: ImageBuildOptions) {
    prepareWorkers();
    this.#parts = parts;
    this.#options = options;
    this.images = new BuildImages(parts, { ...options, holds: this.#holds });
    this.#sealsAhead = this.#holds.use(new SealsAhead(parts.images.layers));
  }

  /**
   * Plan; images that are not here are pulled.
   *
   * @param options.configsOnly of images that are not here only the configurations are asked for: the plan cannot be executed
   * @throws {Fault} with a place in the Dockerfile where it has one
   */
  async plan(
    request: DockerfileRequest,
    { configsOnly = false }: { readonly configsOnly?: boolean } = {},
  ): Promise<PlannedImage> {
    const host = platformOfNode(process);
    const given = givenEpoch(request);
    const { committedAtMs, platform: wanted = host } = request;
    const plan = await planDockerfile(
      {
        ...request,
        platform: wanted,
        buildPlatform: host,
        ...(committedAtMs !== undefined && { sourceDate: String(Math.floor(committedAtMs / 1000)) }),
      },
      {
        signal: this.#options.signal,
        resolveImage: async (reference, { platform: machine }) => {
          const input = /^input:(.*)$/s.exec(reference)?.[1];
          if (input !== undefined) return await this.#useInput(input);
          // Where nobody has said which, an image that is here is the one that is meant.
          const isAsked = request.platform !== undefined || !platformsMatch(machine, host);
          const platform = isAsked ? machine : undefined;
          if (configsOnly) return await this.images.describe(reference, platform);
          return await this.images.resolve(reference, { platform });
        },
      },
    );
    const epochMs = given ?? plan.base?.created?.getTime() ?? 0;
    const createdMs = given ?? committedAtMs ?? epochMs;
    return { plan, epochMs, createdMs, platform: request.platform };
  }

  /** Execute what a plan needs. @param ignoreCache vertices whose kept results are not used */
  async execute(planned: PlannedImage, ignoreCache: (vertex: Vertex) => boolean): Promise<BuiltImage> {
    const { plan, epochMs } = planned;
    const { limits, signal, onEvent } = this.#options;
    const scope = this.#scope({ limits, epochOf: () => epochMs });
    const runner = createOpRunner(this.#parts, scope);
    const vertices = [...new Set(plan.history.flatMap(({ vertex }) => vertex ?? []))];
    if (plan.root !== undefined && !vertices.includes(plan.root)) vertices.push(plan.root);
    const nothing: BuildState = { kind: "files" };
    const ofImage = this.#options.becomesImage() ? layersOf(plan.root) : new Set<string>();
    return await this.#withImports(async () => {
      const solved = await this.#parts.solver.solveAll(vertices, {
        runner,
        signal,
        ignoreCache,
        onResult: (result) => {
          this.#note(result, scope);
          if (ofImage.has(result.vertex.digest)) this.#sealsAhead.add(result.state);
        },
        onEvent(event) {
          if (event.kind === "failed") {
            const { digest } = event.vertex;
            // What brings files for a step is none of its own.
            const step =
              plan.steps.find(({ vertex }) => vertex?.digest === digest) ??
              plan.steps.find(({ vertex }) => vertex?.inputs.some((input) => input?.digest === digest));
            if (step !== undefined) withRange(event.error, step.node.range);
          }
          if (!isOfCache(event)) onEvent(event);
        },
      });
      const states = new Map(vertices.map((vertex, at) => [vertex, solved[at] ?? nothing]));
      const state = (plan.root && states.get(plan.root)) ?? nothing;
      if (state.kind === "files") await this.#options.imported?.receive(state.chainId);
      return { config: configOf(planned, { states, images: this.#parts.images }), state };
    });
  }

  /** The files that an SBOM of a plan's result tells of besides, by their names. The plan has been executed. */
  async executeScanned({ plan, epochMs }: PlannedImage): Promise<ReadonlyMap<string, BuildState>> {
    const epochs = { get: () => epochMs };
    const states = new Map<string, BuildState>();
    for (const { name, root } of plan.scanned)
      states.set(name, await this.executeGraph({ root, epochs, ignored: new Set() }));
    return states;
  }

  /** Execute a graph that a client or a front end has made. @throws {Fault} what fails in it */
  async executeGraph(graph: BuildGraph): Promise<BuildState> {
    const { root, epochs, depth = 0 } = graph;
    const { limits, signal, onEvent } = this.#options;
    if (root === undefined) return { kind: "files" };
    if (depth > maxGraphDepth) throw buildFaults.GRAPH_TOO_DEEP(maxGraphDepth);
    const scope = this.#scope({ limits, epochOf: ({ digest }) => epochs.get(digest) ?? 0, depth });
    const runner = createOpRunner(this.#parts, scope);
    const ignoreCache = ({ digest }: Vertex) => graph.ignored.has(digest);
    return await this.#withImports(async () => {
      const state = await this.#parts.solver.solve(root, {
        runner,
        signal,
        ignoreCache,
        onResult: (result) => this.#note(result, scope),
        onEvent: (event) => {
          if (!isOfCache(event)) onEvent(event);
        },
      });
      if (state.kind === "files") await this.#options.imported?.receive(state.chainId);
      return state;
    });
  }

  /** What the build has begun with. */
  get sources(): BuildSources | undefined {
    return this.#options.sources;
  }

  /** What the vertices have come to, by what it is kept under. */
  get results(): ReadonlyMap<string, VertexResult> {
    return this.#results;
  }

  /** A result's layers as others know them; they are kept while the build goes on. @throws {Fault} as `sealResult` */
  async seal(state: BuildState): Promise<SealedChain> {
    const { signal } = this.#options;
    const { images } = this.#parts;
    return await sealResult(state, { images, signal, hold: (held) => void this.#holds.use(held) });
  }

  #note(
    {
      key,
      vertex,
      inputs,
      state,
    }: { key: string; vertex: Vertex; inputs: readonly BuildState[]; state: BuildState },
    scope: BuildScope,
  ): void {
    const states = state.kind === "several" ? state.states : [state];
    for (const [at, own] of resultKeys(key, vertex.op).entries()) {
      const one = states[at];
      if (one?.kind !== "files" || one.chainId === undefined) continue;
      const keyOf = (others: readonly BuildState[]) => {
        const other = keyOfInputs(vertex, others, scope) ?? key;
        return resultKeys(other, vertex.op)[at] ?? other;
      };
      this.#results.set(own, { chainId: one.chainId, inputs, keyOf });
    }
  }

  /** Again without what a place has promised and not given; what was made meanwhile is kept. */
  async #withImports<T>(work: () => Promise<T>): Promise<T> {
    const { imported } = this.#options;
    for (let others = 0; ; ) {
      try {
        return await work();
      } catch (error) {
        if (imported?.drop(error) === true) continue;
        // Another build that wanted the same work has asked a place of its own for it.
        if (!isCacheFailure(error) || ++others > maxOthers) throw error;
      }
    }
  }

  /** A container on results of the build. @throws {Fault} as `openBuildContainer` */
  async openContainer(request: Omit<OpenContainerRequest, "work" | "folder">): Promise<BuildContainer> {
    const { collaborators, defaults, folder, cacheMounts: caches } = this.#parts;
    const { limits, files, signal } = this.#options;
    const work = { defaults, limits, files, caches, signal };
    return await openBuildContainer(collaborators, { ...request, work, folder });
  }

  /** Keep layers while the build goes on. */
  hold(chainId: ChainId | undefined): void {
    if (chainId !== undefined) this.#holds.use(this.#parts.images.layers.hold(chainId));
  }

  #scope({
    depth = 0,
    ...scope
  }: Pick<BuildScope, "limits" | "epochOf"> & { readonly depth?: number }): BuildScope {
    const { files, sources, onContainer, solveDefinition } = this.#options;
    return {
      ...scope,
      ...(sources && { sources }),
      files,
      onContainer,
      holds: this.#holds,
      imported: this.#options.imported,
      solveDefinition: async (bytes, run) => {
        if (solveDefinition === undefined) throw new Error("only a graph of a client's has graphs in it");
        const state = await solveDefinition(bytes, { ...run, depth: depth + 1 });
        if (state.kind === "files") this.hold(state.chainId);
        return state;
      },
    };
  }

  /** @param done called when the build is disposed of */
  onDisposal(done: () => void): void {
    this.#holds.defer(done);
  }

  [Symbol.dispose](): void {
    this.#holds.dispose();
  }

  async #useInput(name: string): Promise<BaseImage> {
    const built = await this.#options.input?.(name);
    if (built?.state.kind !== "files") throw buildFaults.INPUT_MISSING(name);
    const { chainId, diffIds } = await this.seal(built.state);
    return {
      reference: `input:${name}`,
      config: { ...built.config, diffIds },
      ...(chainId !== undefined && { chainId }),
    };
  }
}

/** Digests of the vertices whose layers those of a Dockerfile's result are: each lies on what its first input has come to. */
function layersOf(root: Vertex | undefined): ReadonlySet<string> {
  const found = new Set<string>();
  for (let vertex = root; vertex !== undefined; vertex = vertex.inputs[0]) found.add(vertex.digest);
  return found;
}

/** It is done again without that place. */
function isOfCache(event: VertexEvent): boolean {
  return event.kind === "failed" && isCacheFailure(event.error);
}

/**
 * `SOURCE_DATE_EPOCH`, https://reproducible-builds.org/specs/source-date-epoch/
 *
 * @throws {Fault} `invalid-argument`
 */
function givenEpoch({ buildArgs }: DockerfileRequest): number | undefined {
  const text = buildArgs["SOURCE_DATE_EPOCH"] ?? "";
  if (text === "") return undefined;
  if (!/^\d{1,12}$/.test(text)) throw buildFaults.EPOCH_INVALID(text);
  return Number(text) * 1000;
}
