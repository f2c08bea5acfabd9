import {
  type Definition,
  type DefinitionPlan,
  planDefinition,
  readDefinitionBytes,
} from "@hawser/build/grpc";
import { type Platform, parseImageConfig, platformOfNode } from "@hawser/oci";
import type { ImageStore } from "@hawser/store";
import type { BuildState } from "../build-state.ts";
import { buildFaults } from "../faults.ts";
import type { BuiltImage, ImageBuild } from "../image-build.ts";
import type { ResultConfig } from "../image-config.ts";

/** Plans and executes graphs of a client's or a front end's. */
export class GraphBuilder {
  readonly #build: ImageBuild;
  readonly #options: GraphBuilderOptions;

  constructor(build: ImageBuild, options: GraphBuilderOptions) {
    this.#build = build;
    this.#options = options;
  }

  /** @throws {Fault} as `planDefinition` */
  async plan(
    definition: Definition,
    builtOf: (id: string) => Promise<BuiltImage>,
  ): Promise<Pick<DefinitionPlan, "root"> & { execute(): Promise<BuiltImage> }> {
    const plan = await this.#plan(definition, builtOf);
    return {
      root: plan.root,
      execute: async () => {
        const state = await this.#build.executeGraph(plan);
        return { state, config: plainConfig(state, this.#options.images) };
      },
    };
  }

  /** A graph in a file of another one. */
  async solve(bytes: Uint8Array, depth: number): Promise<BuildState> {
    const plan = await this.#plan(readDefinitionBytes(bytes), () => {
      throw buildFaults.RESULT_EMPTY();
    });
    return await this.#build.executeGraph({ ...plan, depth });
  }

  async #plan(definition: Definition, builtOf: (id: string) => Promise<BuiltImage>): Promise<DefinitionPlan> {
    const { entitlements, signal, announce } = this.#options;
    const plan = await planDefinition(definition, {
      entitlements,
      signal,
      resolveImage: async (reference, { platform, pull }) =>
        await this.#build.images.resolve(reference, { platform, pull }),
      resolveResult: async (id) => {
        const { state, config } = await builtOf(id);
        if (state.kind !== "files") throw buildFaults.INPUT_MISSING(id);
        this.#build.hold(state.chainId);
        return { chainId: state.chainId, epochMs: config.created?.getTime() ?? 0 };
      },
    });
    announce(plan.steps);
    return plan;
  }
}

export interface GraphBuilderOptions {
  readonly images: ImageStore;
  readonly entitlements: readonly string[];
  readonly signal: AbortSignal;
  readonly announce: (steps: DefinitionPlan["steps"]) => void;
}

/** Of a file system that nobody has said anything of. */
function plainConfig(state: BuildState, images: ImageStore): ResultConfig {
  const { os, architecture, variant } = platformOfNode(process);
  const execution = {
    user: "",
    exposedPorts: [],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    volumes: [],
    workingDir: "/",
    labels: {},
    stopSignal: "",
  };
  const config = { os, architecture, ...(variant && { variant }), execution, history: [] };
  return withHistory({ ...config, created: new Date(0) }, state, images);
}

/** What a front end says of an image, with a history of the layers that it has. @throws {Fault} `invalid-argument` */
export function configOfFrontEnd(
  bytes: Uint8Array,
  { state }: Pick<BuiltImage, "state">,
  { images, platform }: { readonly images: ImageStore; readonly platform: Platform },
): ResultConfig {
  let said: unknown;
  try {
    said = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw buildFaults.CONFIG_INVALID().because(error);
  }
  if (typeof said !== "object" || said === null || Array.isArray(said)) throw buildFaults.CONFIG_INVALID();
  const { os, architecture } = platform;
  const whole = { os, architecture, ...said, rootfs: { type: "layers", diff_ids: [] } };
  const { diffIds: _none, ...config } = parseImageConfig(Buffer.from(JSON.stringify(whole)));
  return withHistory({ ...config, created: config.created ?? new Date(0) }, state, images);
}

/** With as many entries of the history as there are layers. */
function withHistory(config: ResultConfig, state: BuildState, images: ImageStore): ResultConfig {
  let left = images.layers.chain(state.kind === "files" ? state.chainId : undefined).length;
  const told = config.history.map((entry) => {
    const emptyLayer = entry.emptyLayer || left === 0;
    if (!emptyLayer) left--;
    return { ...entry, emptyLayer };
  });
  const { created } = config;
  const untold = Array.from({ length: left }, () => ({
    ...(created && { created }),
    createdBy: "",
    author: "",
    comment: "buildkit.exporter.image.v0",
    emptyLayer: false,
  }));
  return { ...config, history: [...told, ...untold] };
}
