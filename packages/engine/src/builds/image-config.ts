import type { Vertex } from "@hawser/build";
import { type ImageConfig, platformOfNode } from "@hawser/oci";
import type { ImageStore } from "@hawser/store";
import type { BuildState } from "./build-state.ts";
import type { PlannedImage } from "./image-build.ts";

/** What an image of a result says, but for its layers' digests, which are known once it is sealed. */
export type ResultConfig = Omit<ImageConfig, "diffIds">;

/** The configuration of an image as far as it is known before anything is executed: without layers of its own. */
export function plannedConfig({ plan, createdMs, platform }: PlannedImage): ImageConfig {
  const host = platformOfNode(process);
  const { os, architecture, variant } = platform ?? (plan.base?.architecture ? plan.base : host);
  return {
    os,
    architecture,
    ...(variant !== undefined && { variant }),
    created: new Date(createdMs),
    ...(plan.author !== "" && { author: plan.author }),
    execution: plan.execution,
    diffIds: plan.base?.diffIds ?? [],
    history: plan.base?.history ?? [],
  };
}

/** The configuration of an image that has been built. */
export function configOf(
  planned: PlannedImage,
  at: { readonly states: ReadonlyMap<Vertex, BuildState>; readonly images: ImageStore },
): ResultConfig {
  const { plan, createdMs } = planned;
  const { states, images } = at;
  const top = plan.root === undefined ? undefined : states.get(plan.root);
  const layers = images.layers.chain(top?.kind === "files" ? top.chainId : undefined);
  const created = new Date(createdMs);
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
  const { diffIds: _base, ...config } = plannedConfig(planned);
  return { ...config, history };
}
