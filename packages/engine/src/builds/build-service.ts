import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { arch, platform } from "node:process";
import { Fault, type Logger } from "@hawser/base";
import {
  type BuildPlan,
  formatSourceLines,
  type PlanRequest,
  planDockerfile,
  rangeOf,
  Solver,
  type Step,
  type Vertex,
  type VertexEvent,
  withRange,
} from "@hawser/build";
import {
  formatReference,
  type ImageConfig,
  type Platform,
  parseReference,
  platformOfNode,
  withDefaultTag,
} from "@hawser/oci";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import type { BuildCache, BuildRecord, Image, ImageStore } from "@hawser/store";
import type { Collaborators } from "../containers/collaborators.ts";
import { createContainerId } from "../containers/names.ts";
import { removeContainer } from "../containers/remove.ts";
import type { RegistryService } from "../images/registry-service.ts";
import { BuildContext } from "./build-context.ts";
import type { BuildState } from "./build-state.ts";
import { buildFaults } from "./faults.ts";
import { createOpRunner, type OpRunnerParts } from "./op-runner.ts";
import { buildMark } from "./run-process.ts";

export interface BuildRequest {
  /** The user's files, plain or compressed; absent: none are sent. */
  readonly context: AsyncIterable<Uint8Array>;
  /** In the context. */
  readonly dockerfile: string;
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  readonly network: PlanRequest["network"];
  readonly platform?: Platform;
  readonly noCache: boolean;
  readonly pull: boolean;
  /** Of the processes of `RUN`. */
  readonly limits: Partial<HostConfig>;
  readonly signal: AbortSignal;
  readonly onEvent: (event: BuildEvent) => void;
}

export type BuildEvent =
  | { readonly kind: "planned"; readonly steps: readonly Step[] }
  | { readonly kind: "container"; readonly vertex: Vertex; readonly id: string }
  | VertexEvent;

export interface BuildServiceParts {
  readonly collaborators: Collaborators;
  readonly store: { readonly images: ImageStore; readonly buildCache: BuildCache };
  readonly registry: Pick<RegistryService, "pull">;
  readonly defaults: { readonly config: ContainerConfig; readonly hostConfig: HostConfig };
  readonly folder: string;
  /** Size up to which results are kept; absent: they are removed by users only. */
  readonly cacheLimitBytes?: number | undefined;
  readonly log: Logger;
}

const maxDockerfileBytes = 16 << 20;

/** Builds images of Dockerfiles. */
export class BuildService {
  readonly #parts: OpRunnerParts;
  readonly #registry: Pick<RegistryService, "pull">;
  readonly #log: Logger;
  readonly #building = new Set<object>();
  readonly #cacheLimitBytes: number | undefined;

  private constructor(
    parts: OpRunnerParts,
    { registry, log, cacheLimitBytes }: Pick<BuildServiceParts, "registry" | "log" | "cacheLimitBytes">,
  ) {
    this.#parts = parts;
    this.#cacheLimitBytes = cacheLimitBytes;
    this.#registry = registry;
    this.#log = log;
  }

  /** Open the service as a crash may have left it: what belonged to a build that is no more is removed. */
  static async open({
    registry,
    collaborators,
    store,
    defaults,
    folder,
    cacheLimitBytes,
    log,
  }: BuildServiceParts): Promise<BuildService> {
    await rm(join(folder, "run"), { recursive: true, force: true });
    await rm(join(folder, "context"), { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const container of collaborators.index.list()) {
      if (buildMark in container.record.hostConfig.annotations) {
        await removeContainer(collaborators, container, { force: true });
      }
    }
    const parts = { collaborators, images: store.images, cache: store.buildCache, defaults, folder };
    return new BuildService(parts, { registry, log, cacheLimitBytes });
  }

  /** Results of steps that are kept. */
  get cache(): BuildCache {
    return this.#parts.cache;
  }

  /**
   * Build an image. What fails in the Dockerfile shows its lines.
   *
   * @throws {Fault} what the Dockerfile, its images and its processes make of it
   */
  async build(request: BuildRequest): Promise<Image> {
    const { collaborators, images, folder } = this.#parts;
    const { signal } = request;
    const contextFolder = join(folder, "context", createContainerId(collaborators.host.randomBytes));
    await using context = await BuildContext.open(request.context, { folder: contextFolder, signal });
    const source = await context.readText(request.dockerfile, { maxBytes: maxDockerfileBytes, signal });
    if (source === undefined) throw buildFaults.DOCKERFILE_MISSING(request.dockerfile);
    using holds = new DisposableStack();
    const token = {};
    this.#building.add(token);
    try {
      const plan = await this.#plan(source, request, holds);
      request.onEvent({ kind: "planned", steps: plan.steps });
      const epochMs = epochOf(plan, request);
      const runner = createOpRunner(this.#parts, {
        context,
        epochMs,
        limits: request.limits,
        secrets: new Map(),
        holds,
        onContainer: (vertex, id) => request.onEvent({ kind: "container", vertex, id }),
      });
      const states = await this.#solve(plan, { request, solver: new Solver(runner) });
      const config = configOf(plan, { states, epochMs, request, images });
      return await images.create(config, { references: request.names });
    } catch (error) {
      throw showSource(error, { source, name: request.dockerfile });
    } finally {
      this.#building.delete(token);
      if (this.#building.size === 0 && this.#cacheLimitBytes !== undefined) {
        this.#shrinkCache(this.#cacheLimitBytes).catch((error: unknown) =>
          this.#log.warn("cannot make the build cache smaller", { error }),
        );
      }
    }
  }

  /**
   * Remove kept results that no build uses now, oldest first. @param wanted which of them may go
   *
   * @returns what went, and the bytes that this gave back
   */
  async prune(
    wanted: (record: BuildRecord) => boolean,
  ): Promise<{ readonly keys: readonly string[]; readonly reclaimedBytes: number }> {
    const { cache, images, folder } = this.#parts;
    if (this.#building.size > 0) return { keys: [], reclaimedBytes: 0 };
    const records = cache.list().filter(wanted);
    const reclaimedBytes = records.reduce((sum, record) => sum + cache.sizeOf(record), 0);
    cache.remove(records.map(({ key }) => key));
    await images.collect([]);
    await rm(join(folder, "cache"), { recursive: true, force: true });
    return { keys: records.map(({ key }) => key), reclaimedBytes };
  }

  /** Forget the results that were not used for the longest time, until the others are within the limit. */
  async #shrinkCache(limitBytes: number): Promise<void> {
    const { cache, images } = this.#parts;
    let left = 0;
    const tooMuch = cache
      .list()
      .toSorted((a, b) => b.lastUsedMs - a.lastUsedMs)
      .filter((record) => {
        left += cache.sizeOf(record);
        return left > limitBytes;
      });
    if (tooMuch.length === 0) return;
    cache.remove(tooMuch.map(({ key }) => key));
    await images.collect([]);
    this.#log.info("build cache made smaller", { records: tooMuch.length, limitBytes });
  }

  async #plan(source: string, request: BuildRequest, holds: DisposableStack): Promise<BuildPlan> {
    const { images } = this.#parts;
    const host = platformOfNode({ platform, arch });
    return await planDockerfile(
      {
        source,
        ...(request.target !== undefined && { target: request.target }),
        buildArgs: request.buildArgs,
        labels: request.labels,
        network: request.network,
        platform: request.platform ?? host,
        buildPlatform: host,
        contexts: {},
      },
      {
        signal: request.signal,
        resolveImage: async (reference) => {
          const image = await this.#findImage(reference, request);
          if (image.chainId !== undefined) holds.use(images.holdLayer(image.chainId));
          this.#log.debug("build uses an image", { reference, image: image.id });
          return {
            reference,
            config: image.config,
            ...(image.chainId !== undefined && { chainId: image.chainId }),
          };
        },
      },
    );
  }

  /** One that is here, or else from where there are images. */
  async #findImage(reference: string, { pull, platform: wanted, signal }: BuildRequest): Promise<Image> {
    const { images } = this.#parts.collaborators;
    if (!pull) {
      try {
        return images.resolve(reference);
      } catch (error) {
        if (!Fault.is(error, "not-found")) throw error;
      }
    }
    const name = formatReference(withDefaultTag(parseReference(reference)));
    const events = this.#registry.pull(name, { access: {}, platform: wanted, signal });
    for await (const _ of events); // a pull that ends without a fault has the image
    return images.resolve(name);
  }

  async #solve(
    plan: BuildPlan,
    { request, solver }: { readonly request: BuildRequest; readonly solver: Solver<BuildState> },
  ): Promise<ReadonlyMap<Vertex, BuildState>> {
    const vertices = [...new Set(plan.history.flatMap(({ vertex }) => vertex ?? []))];
    if (plan.root !== undefined && !vertices.includes(plan.root)) vertices.push(plan.root);
    const onEvent = (event: VertexEvent) => {
      if (event.kind === "failed") {
        const step = plan.steps.find(({ vertex }) => vertex?.digest === event.vertex.digest);
        if (step !== undefined) withRange(event.error, step.node.range);
      }
      request.onEvent(event);
    };
    const ignoreCache = () => request.noCache;
    const states = await solver.solveAll(vertices, { signal: request.signal, ignoreCache, onEvent });
    return new Map(vertices.map((vertex, at) => [vertex, states[at] ?? { kind: "files" }]));
  }
}

/** When everything in the result was made, as far as it says. */
function epochOf(plan: BuildPlan, { buildArgs }: BuildRequest): number {
  const given = buildArgs["SOURCE_DATE_EPOCH"];
  if (given !== undefined && /^\d{1,12}$/.test(given)) return Number(given) * 1000;
  return plan.base?.created?.getTime() ?? 0;
}

function configOf(
  plan: BuildPlan,
  at: {
    readonly states: ReadonlyMap<Vertex, BuildState>;
    readonly epochMs: number;
    readonly request: BuildRequest;
    readonly images: ImageStore;
  },
): ImageConfig {
  const { states, epochMs, request, images } = at;
  const top = plan.root === undefined ? undefined : states.get(plan.root);
  const layers = images.layersOf(top?.kind === "files" ? top.chainId : undefined);
  const created = new Date(epochMs);
  const baseLayers = plan.base?.diffIds.length ?? 0;
  const known = new Set(layers.slice(0, baseLayers).map(({ chainId }) => chainId));
  const history = plan.history.map(({ vertex, ...entry }) => {
    if (vertex === undefined) return entry.created === undefined ? { ...entry, created } : entry;
    const state = states.get(vertex);
    const chainId = state?.kind === "files" ? state.chainId : undefined;
    // A step whose result is what was there has made no layer.
    const emptyLayer = chainId === undefined || known.has(chainId);
    if (chainId !== undefined) known.add(chainId);
    return { ...entry, created, emptyLayer };
  });
  const { os, architecture, variant } = request.platform ?? plan.base ?? platformOfNode({ platform, arch });
  return {
    os,
    architecture,
    ...(variant !== undefined && { variant }),
    created,
    ...(plan.author !== "" && { author: plan.author }),
    execution: plan.execution,
    diffIds: layers.map(({ diffId }) => diffId),
    history,
  };
}

/** The same fault; where it has a place in the Dockerfile, with the lines. */
function showSource(error: unknown, file: { readonly source: string; readonly name: string }): unknown {
  const range = rangeOf(error);
  if (!Fault.is(error) || range === undefined) return error;
  const lines = formatSourceLines(file.source, { name: file.name, range });
  return new Fault(error.kind, error.code, `${error.message}\n${lines}`).because(error);
}
