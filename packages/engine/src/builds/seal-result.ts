import type { ChainId, Digest } from "@hawser/oci";
import type { ImageStore } from "@hawser/store";
import type { BuildState } from "./build-state.ts";

export interface SealOptions {
  readonly images: ImageStore;
  readonly signal: AbortSignal;
  /** Gets what keeps the layers from collection. */
  readonly hold: (held: Disposable) => void;
}

/** Layers as others know them: lowest first. */
export interface SealedChain {
  /** Absent: there are none. */
  readonly chainId?: ChainId;
  readonly diffIds: readonly Digest[];
}

/** A result as others know it: archives are made of those of its layers that have none. @throws {Fault} as `LayerSeals.seal` */
export async function sealResult(state: BuildState, options: SealOptions): Promise<SealedChain> {
  const { images, signal, hold } = options;
  if (state.kind !== "files" || state.chainId === undefined) return { diffIds: [] };
  const sealed = await images.layers.seal(state.chainId, { signal });
  hold(sealed);
  const { chainId } = sealed.layer;
  return { chainId, diffIds: images.layers.sealedChain(chainId).map(({ diffId }) => diffId) };
}

/** The same state, its layers called what others call them. Those that are not here have such names already. */
export async function sealState(state: BuildState, options: SealOptions): Promise<BuildState> {
  switch (state.kind) {
    case "files": {
      const isHere = state.chainId !== undefined && options.images.layers.has(state.chainId);
      const { chainId } = isHere ? await sealResult(state, options) : state;
      return { kind: "files", ...(chainId !== undefined && { chainId }) };
    }
    case "several":
      return {
        kind: "several",
        states: await Promise.all(state.states.map((one) => sealState(one, options))),
      };
    case "context":
      return state;
  }
}
